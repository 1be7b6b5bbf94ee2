package elbd

import (
	"bytes"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/internal/elbd/wso2conf"
	"github.com/regent-registry/regent/pkg/lb"
)

// isWSO2 tells whether a configuration is a loadbalancer.conf of WSO2 and no YAML: by the name's ending .conf, .yaml or .yml, otherwise by the first line that
// is neither empty nor a comment. There a name and "{", or a last ";", is something that YAML has no use for.
func isWSO2(file string, text []byte) bool {
	switch strings.ToLower(filepath.Ext(file)) {
	case ".conf":
		return true
	case ".yaml", ".yml":
		return false
	}
	for line := range bytes.Lines(text) {
		code, _, _ := bytes.Cut(line, []byte("#"))
		if code = bytes.TrimSpace(code); len(code) > 0 {
			name, _, brace := bytes.Cut(code, []byte("{"))
			return brace && len(name) > 0 && !bytes.ContainsAny(name, ":[") || bytes.HasSuffix(code, []byte(";"))
		}
	}
	return false
}

// wso2Reader turns a loadbalancer.conf into a configuration. What it means, and which of two places counts, is what WSO2 ELB 2.0 and 2.1 made of it:
// a block of a domain goes over the domain, the domain over its service, that over the defaults.
type wso2Reader struct {
	doc      *daemon.Document
	config   *Config
	env      map[string]string
	defaults *wso2conf.Block
	portless []domainLine // domains without group_mgt_port, in the order of the file
	told     map[string]bool
	scales   bool // the autoscaler is on
}

// domainLine is a domain and the line that it begins at.
type domainLine struct {
	service, domain string
	line            int
}

// readWSO2 reads the text of a loadbalancer.conf over the defaults in c. What is wrong with it stands in the reader's document.
func (c *Config) readWSO2(file string, text []byte, environ []string) *wso2Reader {
	r := &wso2Reader{doc: daemon.NewDocument(file), config: c, env: map[string]string{}, told: map[string]bool{}}
	for _, e := range environ {
		if name, value, ok := strings.Cut(e, "="); ok {
			r.env[name] = value
		}
	}
	root, problems := wso2conf.Parse(string(text))
	for _, p := range problems {
		key := p.Key
		if key == "" {
			key = "(top level)"
		}
		if p.Warning {
			r.doc.Warn(key, p.Line, "%s", p.Text)
		} else {
			r.doc.Refuse(key, p.Line, "%s", p.Text)
		}
	}
	r.root(root)
	return r
}

// root reads the top level. A service that stands there is refused, but read as one, so that its own faults are told as well.
func (r *wso2Reader) root(root *wso2conf.Block) {
	for _, p := range root.Properties {
		r.doc.Refuse(p.Key, p.Line, "stands outside of the blocks loadbalancer and services")
	}
	if lb := child(root, "loadbalancer"); lb != nil {
		p, _ := lb.Property("enable_autoscaler")
		r.scales = p.Value == "true"
	}
	r.config.Services = map[string]Service{}
	found := map[string]int{}
	for _, b := range root.Blocks {
		if r.isRepeated(found, b.Name, b) {
			continue
		}
		switch {
		case b.Name == "loadbalancer":
			r.loadBalancer(b)
		case b.Name == "services":
			r.doc.Set("services", b.Line)
			r.services(b)
		case child(b, "domains") != nil:
			r.doc.Refuse(b.Name, b.Line, "is a service: put it into the block services { … }")
			r.service(b)
		default:
			r.doc.RefuseUnknown("", b.Name, b.Line, []string{"loadbalancer", "services"})
		}
	}
	if found["services"] == 0 {
		key := "services"
		if len(r.config.Services) > 0 {
			key = "(top level)" // what was said of those that stand there counts
		}
		r.doc.Refuse(key, 0, "the block services { … } is missing")
		r.doc.Doubt(key)
	}
}

// isRepeated warns of a second block of one name in a place where the first one counts. found has their lines.
func (r *wso2Reader) isRepeated(found map[string]int, key string, b *wso2conf.Block) bool {
	first, twice := found[b.Name]
	if twice {
		r.doc.Warn(key, b.Line, "is given twice; the one of line %d counts, as with WSO2 ELB, and this one is ignored", first)
		return true
	}
	found[b.Name] = b.Line
	return false
}

// child is the first block of that name in b, nil if there is none.
func child(b *wso2conf.Block, name string) *wso2conf.Block {
	for _, c := range b.Blocks {
		if c.Name == name {
			return c
		}
	}
	return nil
}

func (r *wso2Reader) loadBalancer(b *wso2conf.Block) {
	r.checkKeys(b, b.Name, loadBalancerKeys())
	for _, c := range b.Blocks {
		r.doc.RefuseUnknown(b.Name, c.Name, c.Line, nil)
	}
}

func (r *wso2Reader) services(b *wso2conf.Block) {
	for _, p := range b.Properties {
		r.doc.Refuse("services."+p.Key, p.Line, "stands outside of a service")
	}
	if d := child(b, "defaults"); d != nil {
		r.readDefaults(d)
	}
	found := map[string]int{}
	for _, s := range b.Blocks {
		if !r.isRepeated(found, serviceKey(s.Name), s) && s.Name != "defaults" {
			r.service(s)
		}
	}
}

func (r *wso2Reader) readDefaults(b *wso2conf.Block) {
	key := serviceKey(b.Name)
	r.defaults = b
	r.checkKeys(b, key, domainKeys())
	for _, p := range b.Properties {
		if p.Key == "hosts" || p.Key == "tenant_range" {
			r.doc.Warn(key+"."+p.Key, p.Line, "is not inherited from defaults, as with WSO2 ELB; write it into each service")
		}
	}
	for _, c := range b.Blocks {
		r.doc.RefuseUnknown(key, c.Name, c.Line, nil)
	}
}

func (r *wso2Reader) service(b *wso2conf.Block) {
	key := serviceKey(b.Name)
	r.doc.Set(key, b.Line)
	r.checkKeys(b, key, domainKeys())
	found := map[string]int{}
	for _, c := range b.Blocks {
		switch {
		case r.isRepeated(found, key+"."+c.Name, c), c.Name == "domains":
		case child(c, "domains") != nil:
			r.doc.Refuse(key+"."+c.Name, c.Line, "is a service inside of a service; is a } missing before it?")
			r.service(c)
		default:
			r.doc.RefuseUnknown(key, c.Name, c.Line, append(slices.Collect(maps.Keys(domainKeys())), "domains"))
		}
	}
	domains := child(b, "domains")
	if domains == nil {
		r.doc.Refuse(key+".domains", b.Line, "the block domains { … } is missing")
		r.doc.Doubt(key + ".domains")
		return
	}
	r.doc.Set(key+".domains", domains.Line)
	for _, p := range domains.Properties {
		r.doc.Refuse(key+".domains."+p.Key, p.Line, "stands outside of a domain")
	}
	s := r.newService(b)
	for _, d := range domains.Blocks {
		s.domain(d)
	}
	s.store()
}

// giveGroupPorts gives a port to each domain that has none, as domains of ELB 2.0 have: there all of them shared the ELB's own member port, but here
// each has a group of its own. Free ones above that port are taken, in the order of the file.
func (r *wso2Reader) giveGroupPorts() {
	c := r.config
	used := []int{c.HTTPPort, c.HTTPSPort, c.LocalMemberPort}
	if _, text, err := net.SplitHostPort(c.Admin); err == nil {
		if port, err := strconv.Atoi(text); err == nil {
			used = append(used, port)
		}
	}
	for service, domain := range c.eachDomain() {
		used = append(used, c.Services[service].Domains[domain].GroupMgtPort)
	}
	port := c.LocalMemberPort
	if port == 0 {
		port = Default().LocalMemberPort
	}
	for _, d := range r.portless {
		dom := c.Services[d.service].Domains[d.domain]
		if dom.GroupMgtPort != 0 {
			continue // the environment gave it one
		}
		for port++; slices.Contains(used, port); port++ {
		}
		dom.GroupMgtPort = port
		c.Services[d.service].Domains[d.domain] = dom
		key := domainKey(d.service, d.domain)
		r.doc.Warn(key+".group_mgt_port", d.line, "is missing: members of the domain join at port %d; to keep that, write group_mgt_port %d;", port, port)
	}
}

// value is the value of a property with the variables in it replaced: ${X} is the environment variable X. One that is not set stays as it is.
func (r *wso2Reader) value(key string, p wso2conf.Property) string {
	if !strings.Contains(p.Value, "${") {
		return p.Value
	}
	return expand(p.Value, func(name string) string {
		value, ok := r.env[name]
		switch {
		case !ok:
			r.warnOnce(key, p.Line, "${%s} is not set in the environment and stays as it is", name)
		case !utf8.ValidString(value) || strings.ContainsFunc(value, func(c rune) bool { return !unicode.IsPrint(c) }):
			r.warnOnce(key, p.Line, "${%s} holds a character that cannot be printed, and stays as it is", name)
		default:
			return value
		}
		return "${" + name + "}"
	})
}

// warnOnce warns, unless the same was said already: a value may be read for several places.
func (r *wso2Reader) warnOnce(key string, line int, format string, args ...any) {
	once := fmt.Sprintf("%d "+format, append([]any{line}, args...)...)
	if !r.told[once] {
		r.told[once] = true
		r.doc.Warn(key, line, format, args...)
	}
}

// expand replaces each ${X} by what value gives for X.
func expand(s string, value func(name string) string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "${")
		name, after, closed := strings.Cut(rest, "}")
		if !found || !closed {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(before)
		b.WriteString(value(name))
		s = after
	}
}

// splitHosts reads a list of hosts. WSO2 ELB kept blanks after a comma, so that such a host was never found; here they are no part of it.
func splitHosts(list string) []string {
	var hosts []string
	for h := range strings.SplitSeq(list, ",") {
		if h = strings.TrimSpace(h); h != "" {
			hosts = append(hosts, h)
		}
	}
	return hosts
}

// wso2Affinity is what WSO2 ELB always did: sessions stay at their member. It knew sessions by these cookies, and by that of a test of
// WordPress, which is the same for everybody.
func wso2Affinity() *Affinity {
	return &Affinity{Mode: string(lb.AffinityApplication), SessionCookies: []string{"JSESSIONID", "PHPSESSID", "phpMyAdmin"}}
}

// setLines tells the document where the entries of a list stand.
func (r *wso2Reader) setLines(key string, n, line int) {
	r.doc.Set(key, line)
	for i := range n {
		r.doc.Set(fmt.Sprintf("%s[%d]", key, i), line)
	}
}
