package h2

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"
)

// decoded is what x/net makes of a block.
func decoded(t *testing.T, block []byte) []hpack.HeaderField {
	t.Helper()
	fields, err := hpack.NewDecoder(tableSize, nil).DecodeFull(block)
	if err != nil {
		t.Fatalf("% x: %v", block, err)
	}
	return fields
}

func TestAppendStatus_IsReadByXNet(t *testing.T) {
	t.Parallel()
	for status := 100; status < 1000; status++ {
		b := AppendStatus(nil, status)
		got := decoded(t, b)
		want := hpack.HeaderField{Name: ":status", Value: string([]byte{'0' + byte(status/100), '0' + byte(status/10%10), '0' + byte(status%10)})}
		if len(got) != 1 || got[0] != want {
			t.Errorf("%d: %v", status, got)
		}
		switch status {
		case 200, 204, 206, 304, 400, 404, 500:
			if len(b) != 1 {
				t.Errorf("%d: % x", status, b)
			}
		}
	}
}

func TestAppendField_IsReadByXNet(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, value string }{
		{"Content-Type", "text/html"},
		{"x-note", ""},
		{"X-NOTE-Zz9", "A b\xff"},
		{"set-cookie", "a=1"},
		{"Set-Cookie", "a=1"},
		{"x", strings.Repeat("v", 126)},
		{"x", strings.Repeat("v", 127)},
		{"x", strings.Repeat("v", 128)},
		{"x", strings.Repeat("v", 127+127)},
		{"x", strings.Repeat("v", 127+128)},
		{"x", strings.Repeat("v", 60000)},
		{strings.Repeat("N", 126), "v"},
		{strings.Repeat("N", 127), "v"},
		{strings.Repeat("N", 300), "v"},
	} {
		want := hpack.HeaderField{Name: strings.ToLower(tt.name), Value: tt.value, Sensitive: strings.EqualFold(tt.name, "set-cookie")}
		block := AppendField([]byte{indexed | status200}, []byte(tt.name), []byte(tt.value))
		if got := decoded(t, block); len(got) != 2 || got[1] != want {
			t.Errorf("%.50v; want %.50v", got, want)
		}
		if other := AppendFieldString([]byte{indexed | status200}, tt.name, tt.value); !bytes.Equal(other, block) {
			t.Errorf("%.20q: as a string % x; as bytes % x", tt.name, other, block)
		}
	}
}

// A wrong index would give a field another name.
func TestAppendField_UsesTheStaticTable(t *testing.T) {
	t.Parallel()
	known := 0
	for index := status200; index <= 61; index++ {
		fields := decoded(t, appendInt(nil, indexed, 7, index))
		name := fields[0].Name
		if staticName([]byte(name)) == 0 {
			continue
		}
		known++
		block := AppendFieldString(nil, strings.ToUpper(name), "v")
		got := decoded(t, block)
		if len(got) != 1 || got[0].Name != name || got[0].Value != "v" || len(block) != 4 {
			t.Errorf("%s: % x, %v", name, block, got)
		}
	}
	if known != 25 {
		t.Errorf("%d names are in the table", known)
	}
}

func TestAppendNoTable_BeginsABlock(t *testing.T) {
	t.Parallel()
	d := hpack.NewDecoder(tableSize, nil)
	for range 2 {
		fields, err := d.DecodeFull(AppendFieldString(AppendStatus(AppendNoTable(nil), 302), "location", "/"))
		if err != nil || len(fields) != 2 || fields[1].Value != "/" {
			t.Errorf("%v, %v", fields, err)
		}
	}
}

func FuzzAppendField(f *testing.F) {
	f.Add("Content-Type", "text/plain")
	f.Add("x", strings.Repeat("v", 200))
	f.Fuzz(func(t *testing.T, name, value string) {
		got := decoded(t, AppendFieldString(nil, name, value))
		lower := []byte(name)
		for i, c := range lower {
			if 'A' <= c && c <= 'Z' {
				lower[i] = c + 'a' - 'A'
			}
		}
		if len(got) != 1 || got[0].Name != string(lower) || got[0].Value != value {
			t.Fatalf("%q: %q became %v", name, value, got)
		}
		if !bytes.Equal(AppendField(nil, []byte(name), []byte(value)), AppendFieldString(nil, name, value)) {
			t.Fatalf("%q: %q differs as bytes", name, value)
		}
	})
}
