package elbd

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"

	"github.com/regent-registry/regent/internal/daemon"
)

// importConfig prints the elb.yaml that says the same as a loadbalancer.conf and, if it is named, the axis2.xml beside it. What [check] refuses
// is refused.
func importConfig(_ context.Context, in daemon.Invocation) error {
	file := in.Args[0]
	text, err := readFile(file)
	if err != nil {
		return err
	}
	c := Default()
	r := c.readWSO2(file, text, in.Environ)
	docs := []*daemon.Document{r.doc}
	if len(in.Args) > 1 {
		xml, err := readFile(in.Args[1])
		if err != nil {
			return err
		}
		docs = append(docs, c.readAxis2(in.Args[1], xml, r.doc))
	}
	r.giveGroupPorts()
	// Beyond loopback there must be a key, and WSO2 had none: the file names one that the operator is told to make.
	checked := c
	beyond := !daemon.IsLoopback(c.LocalMemberHost)
	if beyond {
		c.GossipKeyFile = "gossip.key"
		checked.InsecureGossip = true
	}
	checked.complete()
	faults := []error{r.doc.Verdict(checked.validate(r.doc))}
	var notes []string
	if beyond {
		notes = append(notes, r.doc.Where("local_member_host")+": local_member_host: gossip beyond loopback needs a key that all members and ELBs have, "+
			"in gossip_key_file; make one with: head -c 32 /dev/urandom | base64 > gossip.key")
	}
	for _, d := range docs {
		for _, w := range d.Warnings() {
			notes = append(notes, w.Error())
		}
	}
	if len(docs) > 1 {
		faults = append(faults, docs[1].Verdict(nil))
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	return writeYAML(in.Stdout, &c, r.doc, in.Args, notes)
}

// writeYAML writes what differs from the defaults, in the order of the document, below a comment with the notes.
func writeYAML(w io.Writer, c *Config, doc *daemon.Document, from, notes []string) error {
	var out bytes.Buffer
	comment := func(text string) { fmt.Fprintf(&out, "# %s\n", oneLine(text)) }
	comment("Made by elb config import from " + strings.Join(from, " and ") + ".")
	if len(notes) > 0 {
		comment("What has no equivalent here, or was decided on the way:")
		for _, n := range notes {
			comment("  " + n)
		}
	}
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(c.yamlNode(doc)); err != nil {
		return err
	}
	if err := encoder.Close(); err != nil {
		return err
	}
	_, err := w.Write(out.Bytes())
	return err
}

// oneLine is text without what could end a comment.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, strings.ToValidUTF8(text, "?"))
}

// yamlNode is the part of the configuration that an import can set, as YAML.
func (c *Config) yamlNode(doc *daemon.Document) *yaml.Node {
	top, standard := mapping(), Default()
	for _, n := range []struct {
		key         string
		value, none int
	}{{"http_port", c.HTTPPort, standard.HTTPPort}, {"https_port", c.HTTPSPort, standard.HTTPSPort}} {
		if n.value != n.none {
			put(top, n.key, scalar(strconv.Itoa(n.value)))
		}
	}
	put(top, "local_member_host", text(c.LocalMemberHost))
	put(top, "local_member_port", scalar(strconv.Itoa(c.LocalMemberPort)))
	putList(top, "members", c.Members)
	if c.GossipKeyFile != "" {
		put(top, "gossip_key_file", text(c.GossipKeyFile))
	}
	services := mapping()
	for _, name := range byLine(doc, c.Services, serviceKey) {
		svc := c.Services[name]
		service, domains := mapping(), mapping()
		putList(service, "hosts", svc.Hosts)
		for _, d := range byLine(doc, svc.Domains, func(d string) string { return domainKey(name, d) }) {
			putText(domains, d, svc.Domains[d].yamlNode())
		}
		put(service, "domains", domains)
		putText(services, name, service)
	}
	put(top, "services", services)
	return top
}

// byLine gives the names in m in the order of the document; key is the key of a name.
func byLine[T any](doc *daemon.Document, m map[string]T, key func(name string) string) []string {
	return slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		return cmp.Or(cmp.Compare(doc.Line(key(a)), doc.Line(key(b))), cmp.Compare(a, b))
	})
}

func (d Domain) yamlNode() *yaml.Node {
	n := mapping()
	put(n, "tenant_range", text(d.TenantRange))
	if d.GroupMgtPort != 0 {
		put(n, "group_mgt_port", scalar(strconv.Itoa(d.GroupMgtPort)))
	}
	putList(n, "hosts", d.Hosts)
	if d.Affinity != nil {
		put(n, "affinity", d.Affinity.yamlNode())
	}
	if d.Mgt != nil {
		put(n, "mgt", d.Mgt.yamlNode())
	}
	if d.Worker != nil {
		put(n, "worker", d.Worker.yamlNode())
	}
	if len(d.SubDomains) > 0 {
		others := mapping()
		for _, name := range slices.Sorted(maps.Keys(d.SubDomains)) {
			sub := d.SubDomains[name]
			putText(others, name, sub.yamlNode())
		}
		put(n, "sub_domains", others)
	}
	return n
}

// yamlNode writes what an import can set.
func (a *Affinity) yamlNode() *yaml.Node {
	n := mapping()
	n.Style = yaml.FlowStyle
	put(n, "mode", scalar(a.Mode))
	putList(n, "session_cookies", a.SessionCookies)
	return n
}

func (s *SubDomain) yamlNode() *yaml.Node {
	n := mapping()
	if s.TenantRange != "" {
		put(n, "tenant_range", text(s.TenantRange))
	}
	putList(n, "hosts", s.Hosts)
	return n
}

func mapping() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode} }

// scalar is a value as it stands; text is one that is never taken for anything but a text.
func scalar(value string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: value} }

func text(value string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(value)
	return n
}

func put(n *yaml.Node, key string, value *yaml.Node) {
	n.Content = append(n.Content, scalar(key), value)
}

// putText is put for a key that is a name of the operator's.
func putText(n *yaml.Node, key string, value *yaml.Node) {
	n.Content = append(n.Content, text(key), value)
}

func putList(n *yaml.Node, key string, list []string) {
	if len(list) == 0 {
		return
	}
	items := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, item := range list {
		items.Content = append(items.Content, text(item))
	}
	put(n, key, items)
}
