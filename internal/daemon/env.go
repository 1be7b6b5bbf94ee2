package daemon

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// overlay lays environment variables over the keys of v. An empty variable counts as none.
func (d *Document) overlay(v reflect.Value, prefix string, environ []string) {
	set := map[string]string{}
	for _, e := range environ {
		if name, value, ok := strings.Cut(e, "="); ok && value != "" && strings.HasPrefix(name, prefix+"_") {
			set[name] = value
		}
	}
	o := &overlayer{doc: d, set: set}
	o.value(v, "", prefix)
	for _, name := range d.elsewhere {
		delete(set, name)
	}
	d.unused = slices.Sorted(maps.Keys(set))
}

type overlayer struct {
	doc *Document
	set map[string]string
}

// refuse notes a fault of the variable that sets a key.
func (o *overlayer) refuse(key string, err error) {
	o.doc.faults = append(o.doc.faults, err)
	o.doc.Doubt(key)
}

func (o *overlayer) value(v reflect.Value, key, name string) {
	text, given := o.set[name]
	switch {
	case isScalar(v.Type()):
		if !given {
			return
		}
		o.doc.SetFrom(key, name)
		if err := setScalar(v, text); err != nil {
			o.refuse(key, o.doc.Fault(key, "%s", err))
		}
	case v.Kind() == reflect.Slice && given:
		o.list(v, key, name, text)
	case v.Kind() == reflect.Pointer && !v.IsNil():
		o.value(v.Elem(), key, name)
	case v.Kind() == reflect.Struct:
		for field, index := range fieldsOf(v.Type()) {
			o.value(v.Field(index), join(key, field), name+"_"+envName(field))
		}
	case v.Kind() == reflect.Map:
		for _, k := range v.MapKeys() {
			elem := reflect.New(v.Type().Elem()).Elem()
			elem.Set(v.MapIndex(k))
			o.value(elem, join(key, k.String()), name+"_"+envName(k.String()))
			v.SetMapIndex(k, elem)
		}
	}
}

func (o *overlayer) list(v reflect.Value, key, name, text string) {
	o.doc.SetFrom(key, name)
	if !strings.HasPrefix(strings.TrimSpace(text), "[") {
		text = "[" + text + "]"
	}
	var root yaml.Node
	if err := yaml.Load([]byte(text), &root); err != nil || len(root.Content) == 0 {
		o.refuse(key, o.doc.Fault(key, "is not a list separated by commas"))
		return
	}
	l := &loader{doc: NewDocument(name)}
	l.value(root.Content[0], v, key)
	for _, f := range l.doc.faults {
		o.refuse(key, fmt.Errorf("environment: %w", f))
	}
}

// envName is a key as part of an environment variable: upper case, other characters than letters and digits as underscores.
func envName(key string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, key)
}
