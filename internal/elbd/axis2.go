package elbd

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/internal/elbd/wso2conf"
)

// axis2Reader takes what an axis2.xml says of a load balancer into a configuration.
type axis2Reader struct {
	file   string
	config *Config
	conf   *daemon.Document // of the configuration, which is told where its keys came from
	doc    *daemon.Document // of the axis2.xml
	set    map[string]wso2conf.Parameter
}

// readAxis2 reads the text of an axis2.xml into c. conf is the document of what c holds already; that of the axis2.xml is returned.
func (c *Config) readAxis2(file string, text []byte, conf *daemon.Document) *daemon.Document {
	r := &axis2Reader{file: file, config: c, conf: conf, doc: daemon.NewDocument(file), set: map[string]wso2conf.Parameter{}}
	a, problems := wso2conf.ParseAxis2(text)
	for _, p := range problems {
		r.doc.Refuse(p.Key, p.Line, "%s", p.Text)
	}
	for _, p := range a.Parameters {
		r.set[p.Name] = p
	}
	if len(a.Parameters) == 0 && len(problems) == 0 {
		r.doc.Warn("clustering", 0, "there is no such element; the group keeps its defaults")
	}
	for _, p := range a.Parameters {
		r.parameter(p)
	}
	if _, ok := r.set["localMemberHost"]; !ok && len(a.Parameters) > 0 {
		r.doc.Warn("clustering.localMemberHost", a.Parameters[0].Line, "is not there: %s", r.firstAddress())
	}
	r.members(a.Members)
	r.receivers(a.Receivers)
	return r.doc
}

// What becomes of parameters that have no equivalent.
const (
	axis2Kernel = "not needed: it tells the WSO2 kernel how to start"
	axis2Wka    = "not needed: it belongs to another membership scheme than wka"
	axis2Gossip = "not needed: it belongs to Hazelcast or Tribes, in whose place is gossip"
	axis2Bind   = "not supported yet: elb binds the address that it announces, local_member_host"
	axis2Secret = "not supported: gossip is protected by gossip_key_file instead"
)

// axis2Fates are the parameters without an equivalent.
func axis2Fates() map[string]string {
	return map[string]string{
		"class": axis2Kernel, "AvoidInitiation": axis2Kernel, "isActive": axis2Kernel, "properties": axis2Kernel,
		"localMemberBindAddress": axis2Bind, "localMemberBindPort": axis2Bind,
		"groupPassword": axis2Secret,
		"mcastAddress":  axis2Wka, "mcastPort": axis2Wka, "mcastTTL": axis2Wka, "mcastTimeout": axis2Wka, "mcastBindAddress": axis2Wka, "mcastFrequency": axis2Wka,
		"accessKey": axis2Wka, "secretKey": axis2Wka, "securityGroup": axis2Wka, "region": axis2Wka, "tagKey": axis2Wka, "tagValue": axis2Wka,
		"hostHeader": axis2Wka, "iamRole": axis2Wka, "connTimeout": axis2Wka, "membershipSchemeClassName": axis2Wka,
		"licenseKey": axis2Gossip, "mgtCenterURL": axis2Gossip, "localMemberIdentifier": axis2Gossip, "hazelcastSerializers": axis2Gossip,
		"synchronizeAll": axis2Gossip, "maxRetries": axis2Gossip, "memberDropTime": axis2Gossip, "preserveMessageOrder": axis2Gossip,
		"atmostOnceMessageSemantics": axis2Gossip, "stateManager": axis2Gossip,
	}
}

func (r *axis2Reader) parameter(p wso2conf.Parameter) {
	key := "clustering." + p.Name
	switch p.Name {
	case "localMemberHost":
		switch {
		case p.Value == "":
			r.doc.Warn(key, p.Line, "is empty: %s", r.firstAddress())
		case strings.ContainsAny(p.Value, " /:${}") && net.ParseIP(p.Value) == nil:
			r.doc.Refuse(key, p.Line, "%q is no address", p.Value)
		default:
			r.config.LocalMemberHost = p.Value
			r.from("local_member_host", p.Line)
		}
	case "localMemberPort":
		if port, ok := r.port(key, p); ok {
			r.config.LocalMemberPort = port
			r.from("local_member_port", p.Line)
		}
	case "domain":
		if p.Value != ownDomain {
			r.doc.Warn(key, p.Line, "not supported: the group of the ELBs is always %s", ownDomain)
		}
	case "membershipScheme":
		if p.Value != "wka" {
			r.doc.Warn(key, p.Line, "not supported: there are well-known addresses (wka) only; name the other ELBs in members")
		}
	case "enable":
		if p.Value != "true" {
			r.doc.Warn(key, p.Line, "not needed: elb is always in the group of the ELBs; without members it is alone")
		}
	case "groupManagement":
		if p.Value == "true" {
			r.doc.Warn(key, p.Line, "not needed: the domains are those of loadbalancer.conf")
		}
	default:
		fate, known := axis2Fates()[p.Name]
		if !known {
			fate = "is no parameter that is known; it has no equivalent"
		}
		r.doc.Warn(key, p.Line, "%s", fate)
	}
}

// firstAddress says what stands in for an address that is not given.
func (r *axis2Reader) firstAddress() string {
	return "WSO2 ELB took its first address that is not loopback; elb takes " + r.config.LocalMemberHost + " unless local_member_host says otherwise"
}

// from notes the line of the axis2.xml that set a key of the configuration.
func (r *axis2Reader) from(key string, line int) {
	r.conf.SetFrom(key, fmt.Sprintf("%s:%d", r.file, line))
}

func (r *axis2Reader) port(key string, p wso2conf.Parameter) (int, bool) {
	if !isPort(p.Value) {
		r.doc.Refuse(key, p.Line, "%q is not a port from 1 to 65535", p.Value)
		return 0, false
	}
	port, err := strconv.Atoi(p.Value)
	return port, err == nil
}

// members takes the other ELBs. They count only in the scheme that asks them.
func (r *axis2Reader) members(list []wso2conf.Address) {
	self := net.JoinHostPort(r.config.LocalMemberHost, strconv.Itoa(r.config.LocalMemberPort))
	for i, m := range list {
		key := fmt.Sprintf("clustering.members[%d]", i)
		addr := net.JoinHostPort(m.Host, m.Port)
		switch {
		case r.set["membershipScheme"].Value != "wka":
			r.doc.Warn(key, m.Line, "not needed: the membership scheme is not wka, so WSO2 ELB did not ask this member")
		case m.Host == "" || !isPort(m.Port):
			r.doc.Refuse(key, m.Line, "needs a hostName and a port from 1 to 65535")
		case addr == self || slices.Contains(r.config.Members, addr):
		default:
			r.from(fmt.Sprintf("members[%d]", len(r.config.Members)), m.Line)
			r.config.Members = append(r.config.Members, addr)
		}
	}
}

// receivers takes the ports of the first HTTP and the first HTTPS transport.
func (r *axis2Reader) receivers(list []wso2conf.Receiver) {
	taken := map[string]bool{}
	for _, t := range list {
		at := "transportReceiver." + t.Name
		name, port := "http_port", &r.config.HTTPPort
		switch {
		case strings.HasSuffix(t.Name, "https"):
			name, port = "https_port", &r.config.HTTPSPort
		case !strings.HasSuffix(t.Name, "http"):
			r.doc.Warn(at, t.Line, "not supported: elb speaks HTTP and HTTPS only")
			continue
		}
		switch {
		case taken[name]:
			r.doc.Warn(at, t.Line, "not supported yet: elb listens at one HTTP and one HTTPS port")
		case t.Port.Line == 0:
			r.doc.Warn(at, t.Line, "names no port; %s stays %d", name, *port)
		default:
			if n, ok := r.port(at+".port", t.Port); ok {
				*port, taken[name] = n, true
				r.from(name, t.Port.Line)
			}
		}
	}
}
