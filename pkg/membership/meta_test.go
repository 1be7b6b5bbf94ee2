package membership

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"
)

func fullMember() Member {
	return Member{
		ID: "01JD0000000000000000000000", Name: "node1", Domain: "wso2.governance.domain", SubDomain: "mgt",
		RemoteHost: "node1.example", HTTPPort: 9764, HTTPSPort: 9444, PortMappings: map[int]int{8280: 9764, 8243: 9444},
		State: StateActive, Weight: 5, Zone: "west", HealthPath: "/readyz", Version: "1.0.0",
		StartedAt: time.UnixMilli(1_790_000_000_123).UTC(), Balancer: true, Backup: true, PropertyHash: 1 << 60, Epoch: 1 << 30,
	}
}

// drawMember draws any member that may be announced; texts are short enough that all fit together.
func drawMember(t *rapid.T) Member {
	text := func(label string, least int) string {
		return rapid.StringOfN(rapid.Rune().Filter(func(r rune) bool { return checkText(string(r)) == nil }), least, 10, 40).Draw(t, label)
	}
	port := rapid.IntRange(1, 65535)
	m := Member{
		Name: text("name", 1), Domain: text("domain", 1), SubDomain: text("sub-domain", 0), RemoteHost: text("remote host", 0),
		HTTPPort: rapid.IntRange(0, 65535).Draw(t, "http"), HTTPSPort: rapid.IntRange(0, 65535).Draw(t, "https"),
		State:  State(rapid.IntRange(0, int(stateCount)-1).Draw(t, "state")),
		Weight: rapid.IntRange(WeightNone, 1<<31-1).Draw(t, "weight"), Zone: text("zone", 0), HealthPath: text("health path", 0), Version: text("version", 0),
		Balancer: rapid.Bool().Draw(t, "balancer"), Backup: rapid.Bool().Draw(t, "backup"), PropertyHash: rapid.Uint64().Draw(t, "property hash"),
		Epoch: rapid.Uint32().Draw(t, "epoch"),
	}
	var id ulid.ULID
	copy(id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
	m.ID = id.String()
	if mappings := rapid.MapOfN(port, port, 0, 20).Draw(t, "mappings"); len(mappings) > 0 {
		m.PortMappings = mappings
	}
	if rapid.Bool().Draw(t, "started") {
		m.StartedAt = time.UnixMilli(rapid.Int64Range(-1<<40, 1<<45).Draw(t, "started at")).UTC()
	}
	return m
}

func TestMeta_RoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMember(t)
		data, err := encodeMeta(m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeMeta(data)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(m, got); d != "" {
			t.Fatalf("decode(encode(m)) differs (-want +got):\n%s", d)
		}
	})
}

func TestMeta_TypicalMemberIsSmall(t *testing.T) {
	data, err := encodeMeta(fullMember())
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > 160 {
		t.Errorf("%d bytes", len(data))
	}
}

func TestMeta_LimitIs512Bytes(t *testing.T) {
	m := fullMember()
	m.Zone = ""
	data, err := encodeMeta(m)
	if err != nil {
		t.Fatal(err)
	}
	room := 512 - len(data) - 3 // tag and a length of two bytes
	m.Zone = strings.Repeat("z", room)
	data, err = encodeMeta(m)
	if err != nil || len(data) != 512 {
		t.Fatalf("at the limit: %d bytes, %v", len(data), err)
	}
	m.Zone += "z"
	_, err = encodeMeta(m)
	want := fmt.Sprintf("zone is too long (%d bytes): all that is announced takes 513 bytes, 1 over the limit of 512", room+1)
	if err == nil || err.Error() != want {
		t.Errorf("error = %v\nwant    %s", err, want)
	}
}

func TestMeta_EncodeNamesTheField(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Member)
		want   string
	}{
		"id missing":       {func(m *Member) { m.ID = "" }, "id"},
		"id lower case":    {func(m *Member) { m.ID = strings.ToLower(m.ID) }, "id"},
		"control byte":     {func(m *Member) { m.Zone = "a\nb" }, "zone: text has control characters"},
		"not utf-8":        {func(m *Member) { m.Version = "\xff" }, "version: text is not UTF-8"},
		"port too big":     {func(m *Member) { m.HTTPPort = 65536 }, "http port: 65536"},
		"negative weight":  {func(m *Member) { m.Weight = -2 }, "weight: -2"},
		"unknown state":    {func(m *Member) { m.State = stateCount }, "state: 4"},
		"mapping of 0":     {func(m *Member) { m.PortMappings = map[int]int{0: 1} }, "port mappings: port 0"},
		"mapping to 70000": {func(m *Member) { m.PortMappings = map[int]int{1: 70000} }, "port mappings: port 70000"},
		"remote host":      {func(m *Member) { m.RemoteHost = strings.Repeat("h", 500) }, "remote host is too long (500 bytes)"},
	} {
		t.Run(name, func(t *testing.T) {
			m := fullMember()
			tc.change(&m)
			if _, err := encodeMeta(m); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error = %v, want one with %q", err, tc.want)
			}
		})
	}
}

func TestMeta_SkipsFieldsOfLaterVersions(t *testing.T) {
	want := fullMember()
	data, err := encodeMeta(want)
	if err != nil {
		t.Fatal(err)
	}
	data = append(data, 100, 3, 'n', 'e', 'w', 255, 0)
	got, err := decodeMeta(data)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// The bytes of version 1 are fixed: a running cluster is upgraded member by member.
func TestMeta_BytesAreStable(t *testing.T) {
	want := "01" + "0110" + "0193400000000000000000000000" + "0000" +
		"0205" + fmt.Sprintf("%x", "node1") + "0316" + fmt.Sprintf("%x", "wso2.governance.domain") + "0403" + fmt.Sprintf("%x", "mgt") +
		"0502a44c" + "0602e449" + "0708b340e449d840a44c" + "080101" + "090105" + "0a04" + fmt.Sprintf("%x", "west") +
		"0b07" + fmt.Sprintf("%x", "/readyz") + "0c06f6b183c59868" + "0d05" + fmt.Sprintf("%x", "1.0.0") +
		"0e0d" + fmt.Sprintf("%x", "node1.example") + "0f0101" + "1008" + "1000000000000000" + "110101" + "1204" + "40000000"
	data, err := encodeMeta(fullMember())
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(data); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestMeta_DecodeRefuses(t *testing.T) {
	good, err := encodeMeta(fullMember())
	if err != nil {
		t.Fatal(err)
	}
	field := func(tag byte, value string) []byte {
		head := append(bytes.Clone(good[:1+2+16]), tagName, 1, 'n', tagDomain, 1, 'd')
		return append(binary.AppendUvarint(append(head, tag), uint64(len(value))), value...)
	}
	for name, tc := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":              {nil, "empty"},
		"over the limit":       {make([]byte, 513), "513 bytes"},
		"later version":        {append([]byte{2}, good[1:]...), "version 2"},
		"cut off":              {good[:len(good)-1], "cut off"},
		"no identity":          {[]byte{1}, "missing"},
		"out of order":         {append(bytes.Clone(good), 1, 0), "out of order"},
		"huge length":          {append(bytes.Clone(good), 200, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1), "cut off"},
		"port too big":         {field(tagHTTPPort, "\xff\xff\x07"), "over 65535"},
		"number with tail":     {field(tagWeight, "\x01\x01"), "bytes after it"},
		"unknown state":        {field(tagState, "\x09"), "over 3"},
		"control character":    {field(tagZone, "a\x00b"), "control"},
		"not utf-8":            {field(tagVersion, "\xff"), "UTF-8"},
		"mappings not ordered": {field(tagPortMappings, "\x02\x01\x01\x01"), "out of order"},
		"mapping to nothing":   {field(tagPortMappings, "\x02"), "port at the member"},
		"short hash":           {field(tagPropertyHash, "1234"), "want 8 bytes"},
		"id too short":         {[]byte{1, tagID, 2, 1, 2}, "field 1"},
	} {
		t.Run(name, func(t *testing.T) {
			if m, err := decodeMeta(tc.data); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %+v, %v; want an error with %q", m, err, tc.want)
			}
		})
	}
}

func FuzzDecodeMeta(f *testing.F) {
	data, err := encodeMeta(fullMember())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:20])
	f.Add(append(bytes.Clone(data), 100, 1, 7))
	f.Add([]byte{metaVersion})
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decodeMeta(data)
		if err != nil {
			return
		}
		again, err := encodeMeta(m)
		if err != nil {
			t.Fatalf("what was read cannot be announced: %v\n%+v", err, m)
		}
		if len(again) > len(data) {
			t.Errorf("canonical form has %d bytes, the input %d", len(again), len(data))
		}
		back, err := decodeMeta(again)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(m, back); d != "" {
			t.Errorf("(-first +second):\n%s", d)
		}
	})
}
