package membership

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/memberlist"
	"github.com/oklog/ulid/v2"
)

// The metadata that travels in gossip is one version byte, then fields in ascending order of their tags:
//
//	tag (1 byte) · length (uvarint) · value
//
// Numbers are uvarints, times are milliseconds since 1970 as varints, texts are UTF-8 without control characters. A field with its zero value
// is left out. A reader skips tags that it does not know, so fields can be added; a change that an old reader must not ignore raises the version.
const (
	metaVersion = 1
	metaLimit   = memberlist.MetaMaxSize // bytes; memberlist panics above it
)

// The tags. Append only: a number is never used for something else.
const (
	tagID byte = iota + 1
	tagName
	tagDomain
	tagSubDomain
	tagHTTPPort
	tagHTTPSPort
	tagPortMappings
	tagState
	tagWeight
	tagZone
	tagHealthPath
	tagStartedAt
	tagVersion
	tagRemoteHost
	tagBalancer
	tagPropertyHash
	tagBackup
	tagEpoch
)

// encodeMeta makes the metadata of m. It fails, and names the field, when a value is not allowed or the whole is over 512 bytes.
func encodeMeta(m Member) ([]byte, error) {
	w := metaWriter{buf: []byte{metaVersion}}
	id, err := ulid.ParseStrict(m.ID)
	if err != nil || id.String() != m.ID {
		return nil, fmt.Errorf("id %q: want a ULID in upper case", m.ID)
	}
	w.field(tagID, "id", id[:])
	w.text(tagName, "name", m.Name)
	w.text(tagDomain, "domain", m.Domain)
	w.text(tagSubDomain, "sub_domain", m.SubDomain)
	w.number(tagHTTPPort, "http port", m.HTTPPort, math.MaxUint16)
	w.number(tagHTTPSPort, "https port", m.HTTPSPort, math.MaxUint16)
	w.mappings(m.PortMappings)
	w.number(tagState, "state", int(m.State), int(stateCount)-1)
	if m.Weight == WeightNone {
		w.field(tagWeight, "weight", binary.AppendUvarint(nil, 0)) // a weight that is not announced is left out
	} else {
		w.number(tagWeight, "weight", m.Weight, math.MaxInt32)
	}
	w.text(tagZone, "zone", m.Zone)
	w.text(tagHealthPath, "health path", m.HealthPath)
	if !m.StartedAt.IsZero() {
		w.field(tagStartedAt, "started_at", binary.AppendVarint(nil, m.StartedAt.UnixMilli()))
	}
	w.text(tagVersion, "version", m.Version)
	w.text(tagRemoteHost, "remote host", m.RemoteHost)
	if m.Balancer {
		w.field(tagBalancer, "balancer", []byte{1})
	}
	if m.PropertyHash != 0 {
		w.field(tagPropertyHash, "property hash", binary.BigEndian.AppendUint64(nil, m.PropertyHash))
	}
	if m.Backup {
		w.field(tagBackup, "backup", []byte{1})
	}
	if m.Epoch != 0 {
		w.field(tagEpoch, "epoch", binary.BigEndian.AppendUint32(nil, m.Epoch))
	}
	return w.finish()
}

// metaWriter builds the fields and remembers which of them is the longest, to blame it.
type metaWriter struct {
	buf         []byte
	longest     string
	longestSize int
	err         error
}

func (w *metaWriter) field(tag byte, name string, value []byte) {
	w.buf = append(w.buf, tag)
	w.buf = binary.AppendUvarint(w.buf, uint64(len(value)))
	w.buf = append(w.buf, value...)
	if len(value) > w.longestSize {
		w.longest, w.longestSize = name, len(value)
	}
}

func (w *metaWriter) text(tag byte, name, value string) {
	if value == "" {
		return
	}
	if err := checkText(value); err != nil {
		w.fail(name, err)
	}
	w.field(tag, name, []byte(value))
}

func (w *metaWriter) number(tag byte, name string, value, limit int) {
	if value < 0 || value > limit {
		w.fail(name, fmt.Errorf("%d is not within 0 and %d", value, limit))
		return
	}
	if value != 0 {
		w.field(tag, name, binary.AppendUvarint(nil, uint64(value)))
	}
}

func (w *metaWriter) mappings(m map[int]int) {
	if len(m) == 0 {
		return
	}
	from := make([]int, 0, len(m))
	for port := range m {
		from = append(from, port)
	}
	slices.Sort(from)
	var value []byte
	for _, port := range from {
		for _, p := range []int{port, m[port]} {
			if p < 1 || p > math.MaxUint16 {
				w.fail("port mappings", fmt.Errorf("port %d is not within 1 and %d", p, math.MaxUint16))
				return
			}
			value = binary.AppendUvarint(value, uint64(p))
		}
	}
	w.field(tagPortMappings, "port mappings", value)
}

func (w *metaWriter) fail(name string, err error) {
	if w.err == nil {
		w.err = fmt.Errorf("%s: %w", name, err)
	}
}

func (w *metaWriter) finish() ([]byte, error) {
	if w.err != nil {
		return nil, w.err
	}
	if over := len(w.buf) - metaLimit; over > 0 {
		return nil, fmt.Errorf("%s is too long (%d bytes): all that is announced takes %d bytes, %d over the limit of %d",
			w.longest, w.longestSize, len(w.buf), over, metaLimit)
	}
	return w.buf, nil
}

// decodeMeta reads what encodeMeta made, by this version or a compatible later one. Host, Port and Since are left to the caller.
func decodeMeta(data []byte) (Member, error) {
	var m Member
	if len(data) == 0 {
		return m, errors.New("metadata is empty")
	}
	if len(data) > metaLimit {
		return m, fmt.Errorf("metadata is %d bytes, the limit is %d", len(data), metaLimit)
	}
	if data[0] != metaVersion {
		return m, fmt.Errorf("metadata has version %d, this program reads version %d", data[0], metaVersion)
	}
	rest, last := data[1:], byte(0)
	for len(rest) > 0 {
		tag := rest[0]
		if tag <= last {
			return m, fmt.Errorf("field %d is out of order", tag)
		}
		size, n := binary.Uvarint(rest[1:])
		if n <= 0 || size > uint64(len(rest)-1-n) {
			return m, fmt.Errorf("field %d is cut off", tag)
		}
		value := rest[1+n : 1+n+int(size)]
		if err := m.setField(tag, value); err != nil {
			return m, fmt.Errorf("field %d: %w", tag, err)
		}
		rest, last = rest[1+n+len(value):], tag
	}
	if m.ID == "" || m.Name == "" || m.Domain == "" {
		return m, errors.New("id, name or domain is missing")
	}
	return m, nil
}

// setField reads one field into m; a tag that is not known is skipped.
func (m *Member) setField(tag byte, value []byte) (err error) {
	switch tag {
	case tagID:
		var id ulid.ULID
		if err = id.UnmarshalBinary(value); err == nil {
			m.ID = id.String()
		}
	case tagName:
		m.Name, err = readText(value)
	case tagDomain:
		m.Domain, err = readText(value)
	case tagSubDomain:
		m.SubDomain, err = readText(value)
	case tagHTTPPort:
		m.HTTPPort, err = readNumber(value, math.MaxUint16)
	case tagHTTPSPort:
		m.HTTPSPort, err = readNumber(value, math.MaxUint16)
	case tagPortMappings:
		m.PortMappings, err = readMappings(value)
	case tagState:
		var n int
		n, err = readNumber(value, uint64(stateCount)-1)
		m.State = State(n)
	case tagWeight:
		if m.Weight, err = readNumber(value, math.MaxInt32); m.Weight == 0 && err == nil {
			m.Weight = WeightNone
		}
	case tagZone:
		m.Zone, err = readText(value)
	case tagHealthPath:
		m.HealthPath, err = readText(value)
	case tagStartedAt:
		m.StartedAt, err = readTime(value)
	case tagVersion:
		m.Version, err = readText(value)
	case tagRemoteHost:
		m.RemoteHost, err = readText(value)
	case tagBalancer:
		m.Balancer = len(value) > 0 && value[0] != 0
	case tagBackup:
		m.Backup = len(value) > 0 && value[0] != 0
	case tagEpoch:
		if len(value) != 4 {
			return fmt.Errorf("want 4 bytes, got %d", len(value))
		}
		m.Epoch = binary.BigEndian.Uint32(value)
	case tagPropertyHash:
		if len(value) != 8 {
			return fmt.Errorf("want 8 bytes, got %d", len(value))
		}
		m.PropertyHash = binary.BigEndian.Uint64(value)
	}
	return err
}

func readText(value []byte) (string, error) {
	s := string(value)
	return s, checkText(s)
}

// checkText keeps what could break a log line or a page out of the member table.
func checkText(s string) error {
	if !utf8.ValidString(s) {
		return errors.New("text is not UTF-8")
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return errors.New("text has control characters")
	}
	return nil
}

func readNumber(value []byte, limit uint64) (int, error) {
	n, size := binary.Uvarint(value)
	if size != len(value) || size <= 0 {
		return 0, errors.New("number is cut off or has bytes after it")
	}
	if n > limit {
		return 0, fmt.Errorf("number %d is over %d", n, limit)
	}
	return int(n), nil
}

func readTime(value []byte) (time.Time, error) {
	ms, size := binary.Varint(value)
	if size != len(value) || size <= 0 {
		return time.Time{}, errors.New("time is cut off or has bytes after it")
	}
	return time.UnixMilli(ms).UTC(), nil
}

func readMappings(value []byte) (map[int]int, error) {
	m := make(map[int]int)
	last := uint64(0)
	for len(value) > 0 {
		from, n := binary.Uvarint(value)
		if n <= 0 || from <= last || from > math.MaxUint16 {
			return nil, errors.New("listening port is cut off, out of order or not a port")
		}
		to, k := binary.Uvarint(value[n:])
		if k <= 0 || to < 1 || to > math.MaxUint16 {
			return nil, errors.New("port at the member is cut off or not a port")
		}
		m[int(from)] = int(to)
		value, last = value[n+k:], from
	}
	if len(m) == 0 {
		return nil, errors.New("port mappings are empty")
	}
	return m, nil
}
