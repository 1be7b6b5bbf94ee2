package document

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
)

// IsAPI tells whether a value says of itself that it is an OpenAPI or Swagger document that [ReadAPI] knows.
func IsAPI(v *Value) bool {
	return strings.HasPrefix(v.Str("openapi"), "3.") || v.Str("swagger") == "2.0" || v.Str("swagger") == "2"
}

// ReadAPI reads an OpenAPI 3 or Swagger 2.0 document, of which [IsAPI] holds.
func ReadAPI(root *Value, prose Prose) *API {
	r := &apiReader{root: root, prose: prose, rows: MaxRows, known: map[string]*Value{}, two: root.Get("swagger") != nil}
	api := &API{Format: "OpenAPI " + root.Label("openapi")}
	if r.two {
		api.Format = "Swagger 2.0"
	}
	r.info(api)
	r.servers(api)
	r.nameSchemas()
	r.security(api)
	r.operations(api)
	r.schemas(api)
	return api
}

type apiReader struct {
	root    *Value
	two     bool // Swagger 2.0
	prose   Prose
	rows    int // that may still be made
	words   int // bytes of descriptions so far
	known   map[string]*Value
	anchors map[string]string // by pointer
}

func (r *apiReader) info(api *API) {
	info := r.root.Get("info")
	api.Title, api.Version, api.Summary = info.Label("title"), info.Label("version"), info.Label("summary")
	api.Description = r.said(info)
	add := func(name, text, link string) {
		if text == "" {
			text = link
		}
		if text != "" {
			api.Facts = append(api.Facts, Fact{name, text, link})
		}
	}
	contact, license := info.Get("contact"), info.Get("license")
	add("Contact", contact.Label("name"), contact.Label("url"))
	add("E-mail", contact.Label("email"), "")
	add("Licence", license.Label("name"), license.Label("url"))
	add("Terms of service", "", info.Label("termsOfService"))
	docs := r.root.Get("externalDocs")
	add("More", docs.Label("description"), docs.Label("url"))
}

func (r *apiReader) servers(api *API) {
	if r.two {
		host, base := r.root.Label("host"), r.root.Label("basePath")
		for _, scheme := range r.some(r.root.Get("schemes")) {
			api.Servers = append(api.Servers, Server{URL: Shorten(scheme.String(), maxLabel) + "://" + host + base})
		}
		if len(api.Servers) == 0 && host+base != "" {
			api.Servers = append(api.Servers, Server{URL: host + base})
		}
		return
	}
	for _, s := range r.some(r.root.Get("servers")) {
		server := Server{URL: s.Label("url"), Description: r.said(s)}
		r.each(s.Get("variables"), func(name string, v *Value) {
			fact := name + " = " + v.Label("default")
			if list := texts(v.Get("enum")); len(list) > 0 {
				fact += " (" + strings.Join(list, ", ") + ")"
			}
			server.Facts = append(server.Facts, fact)
		})
		api.Servers = append(api.Servers, server)
	}
}

// methods are the keys of a path that are operations, in the order of a page.
var methods = []string{"get", "query", "post", "put", "patch", "delete", "head", "options", "trace"}

func (r *apiReader) operations(api *API) {
	groups := map[string]*Group{}
	group := func(name string) *Group {
		g := groups[name]
		if g == nil {
			g = &Group{Name: name}
			groups[name] = g
			api.Groups = append(api.Groups, g)
		}
		return g
	}
	for _, t := range r.some(r.root.Get("tags")) {
		group(t.Label("name")).Description = r.said(t)
	}
	r.paths(api, "paths", group)
	r.paths(api, "webhooks", func(string) *Group { return group("Webhooks") })
	api.Left = api.Operations
	api.Groups = slices.DeleteFunc(api.Groups, func(g *Group) bool {
		api.Left -= len(g.Operations)
		return len(g.Operations) == 0
	})
	if rest := groups[""]; rest != nil {
		rest.Name = "Other operations"
		if len(api.Groups) == 1 {
			rest.Name = "Operations"
		}
	}
}

// paths adds the operations below a key to their groups; one with several tags stands in the group of the first.
func (r *apiReader) paths(api *API, key string, group func(tag string) *Group) {
	n := 0
	r.root.Get(key).Pairs(func(path string, item *Value) {
		item, _ = r.follow(item)
		for _, method := range methods {
			o := item.Get(method)
			if o == nil || o.Kind != Map {
				continue
			}
			api.Operations++
			if n++; api.Operations > MaxOperations {
				continue
			}
			tag := ""
			if tags := texts(o.Get("tags")); len(tags) > 0 {
				tag = tags[0]
			}
			g := group(tag)
			g.Operations = append(g.Operations, r.operation(fmt.Sprintf("%s-%d", strings.TrimSuffix(key, "s"), n), method, path, item, o))
		}
	})
}

func (r *apiReader) operation(anchor, method, path string, item, o *Value) Operation {
	op := Operation{
		Anchor: anchor, Method: strings.ToUpper(method), Path: Shorten(path, maxLabel), Summary: o.Label("summary"), ID: o.Label("operationId"), Deprecated: o.Is("deprecated"),
		Description: r.said(o), Line: o.Line,
	}
	if op.Summary == "" {
		op.Summary = item.Label("summary")
	}
	r.parameters(&op, item, o)
	if body := o.Get("requestBody"); body != nil {
		c := r.content("", body)
		op.Body = &c
	}
	r.each(o.Get("responses"), func(status string, v *Value) {
		if r.two {
			op.Responses = append(op.Responses, r.oldResponse(status, v, o))
			return
		}
		op.Responses = append(op.Responses, r.content(status, v))
	})
	if s := o.Get("security"); s != nil {
		if op.Security = needs(s); len(op.Security) == 0 {
			op.Security = []string{"nothing"}
		}
	}
	return op
}

// parameters reads those of the path and of the operation, which replace them. Those of Swagger that are a body become one.
func (r *apiReader) parameters(op *Operation, item, o *Value) {
	type key struct{ name, in string }
	places := map[key]int{}
	var form *Schema
	for _, p := range append(r.some(item.Get("parameters")), r.some(o.Get("parameters"))...) {
		p, outside := r.follow(p)
		switch in := p.Label("in"); {
		case outside == "" && in == "body":
			op.Body = &Content{Description: r.said(p), Required: p.Is("required"), Media: r.media(texts(r.inherited(o, "consumes")), p.Get("schema"))}
		case outside == "" && in == "formData":
			if form == nil {
				form = &Schema{Type: "object"}
				op.Body = &Content{Required: true, Media: []Media{{Type: strings.Join(texts(r.inherited(o, "consumes")), ", "), Schema: form}}}
			}
			form.Fields = append(form.Fields, r.parameter(p, outside))
		default:
			k := key{p.Label("name"), in}
			if at, ok := places[k]; ok && outside == "" {
				op.Parameters[at] = r.parameter(p, outside)
				continue
			}
			places[k] = len(op.Parameters)
			op.Parameters = append(op.Parameters, r.parameter(p, outside))
		}
	}
}

func (r *apiReader) parameter(p *Value, outside string) *Schema {
	if outside != "" {
		return &Schema{Name: "Parameter", Type: "see", Outside: outside}
	}
	shape := p.Get("schema")
	if r.two {
		shape = p
	}
	if shape == nil && p.Get("content") != nil && len(p.Get("content").Values) > 0 {
		shape = p.Get("content").Values[0].Get("schema")
	}
	s := r.schema(p.Label("name"), shape, 1)
	s.Mark, s.Required = p.Label("in"), p.Is("required")
	s.Deprecated = s.Deprecated || p.Is("deprecated")
	if text := r.said(p); text != "" {
		s.Description = text
	}
	return s
}

// inherited is what an operation of Swagger says, or the document for all.
func (r *apiReader) inherited(o *Value, key string) *Value {
	if v := o.Get(key); v != nil {
		return v
	}
	return r.root.Get(key)
}

func (r *apiReader) media(types []string, shape *Value) []Media {
	return []Media{{Type: strings.Join(types, ", "), Schema: r.schema("", shape, 0)}}
}

func (r *apiReader) oldResponse(status string, v, o *Value) Content {
	v, outside := r.follow(v)
	c := Content{Status: status, Outside: outside, Description: r.said(v), Headers: r.headers(v)}
	if shape := v.Get("schema"); shape != nil {
		c.Media = r.media(texts(r.inherited(o, "produces")), shape)
	}
	return c
}

func (r *apiReader) content(status string, v *Value) Content {
	v, outside := r.follow(v)
	c := Content{Status: status, Outside: outside, Description: r.said(v), Required: v.Is("required"), Headers: r.headers(v)}
	r.each(v.Get("content"), func(mediaType string, m *Value) {
		m, _ = r.follow(m)
		one := Media{Type: mediaType}
		if shape := m.Get("schema"); shape != nil {
			one.Schema = r.schema("", shape, 0)
		}
		example := m.Get("example")
		if all := m.Get("examples"); example == nil && all != nil && len(all.Values) > 0 {
			first, _ := r.follow(all.Values[0])
			example = first.Get("value")
		}
		one.Example = inline(example)
		c.Media = append(c.Media, one)
	})
	return c
}

func (r *apiReader) headers(v *Value) []*Schema {
	var all []*Schema
	r.each(v.Get("headers"), func(name string, h *Value) {
		h, outside := r.follow(h)
		s := r.parameter(h, outside)
		s.Name, s.Mark = name, ""
		all = append(all, s)
	})
	return all
}

func (r *apiReader) security(api *API) {
	schemes := r.root.Get("components").Get("securitySchemes")
	if r.two {
		schemes = r.root.Get("securityDefinitions")
	}
	r.each(schemes, func(name string, v *Value) {
		v, _ = r.follow(v)
		s := Scheme{Name: name, Type: v.Label("type"), Description: r.said(v)}
		for _, key := range []string{"scheme", "bearerFormat", "in", "name", "openIdConnectUrl", "flow", "authorizationUrl", "tokenUrl"} {
			if text := v.Label(key); text != "" {
				s.Facts = append(s.Facts, key+": "+text)
			}
		}
		r.each(v.Get("flows"), func(flow string, f *Value) {
			s.Facts = append(s.Facts, strings.TrimSpace("flow: "+flow+" "+f.Label("tokenUrl")))
			r.each(f.Get("scopes"), func(scope string, d *Value) {
				s.Facts = append(s.Facts, "scope "+scope+": "+Shorten(d.String(), maxLabel))
			})
		})
		r.each(v.Get("scopes"), func(scope string, d *Value) {
			s.Facts = append(s.Facts, "scope "+scope+": "+Shorten(d.String(), maxLabel))
		})
		api.Security = append(api.Security, s)
	})
	api.SecurityNeed = needs(r.root.Get("security"))
}

// needs writes the alternatives of a security requirement.
func needs(v *Value) []string {
	var all []string
	for _, one := range v.Items()[:min(len(v.Items()), maxTexts)] {
		var parts []string
		one.Pairs(func(name string, scopes *Value) {
			if len(parts) == maxTexts {
				return
			}
			name = Shorten(name, maxLabel)
			if list := texts(scopes); len(list) > 0 {
				name += " (" + strings.Join(list, ", ") + ")"
			}
			parts = append(parts, name)
		})
		if len(parts) == 0 {
			parts = []string{"nothing"}
		}
		all = append(all, strings.Join(parts, " and "))
	}
	return all
}

// texts are the first texts of a list.
func texts(v *Value) []string {
	var all []string
	for _, item := range v.Items() {
		if text := item.String(); text != "" && len(all) < maxTexts {
			all = append(all, Shorten(text, maxLabel))
		}
	}
	return all
}

// some are the first items of a list, as many as there are rows for.
func (r *apiReader) some(v *Value) []*Value {
	n := max(min(len(v.Items()), maxList, r.rows), 0)
	r.rows -= n
	return slices.Clone(v.Items()[:n])
}

// each calls f with the first pairs of a map, as many as there are rows for.
func (r *apiReader) each(v *Value, f func(key string, value *Value)) {
	n := 0
	v.Pairs(func(key string, value *Value) {
		if n++; n > maxList || r.rows <= 0 {
			return
		}
		r.rows--
		f(Shorten(key, maxLabel), value)
	})
}

// said makes the description of something a part of the page, until there are too many: then it is left out.
func (r *apiReader) said(v *Value) template.HTML {
	text := v.Str("description")
	if r.words += len(text); text == "" || r.words > maxProse {
		return ""
	}
	return r.prose(text)
}
