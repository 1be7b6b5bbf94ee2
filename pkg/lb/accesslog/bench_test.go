package accesslog

import (
	"fmt"
	"io"
	"net/netip"
	"testing"
	"time"
)

// usual is a record as a busy proxy has them.
func usual() *Record {
	return &Record{
		Time:      time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.UTC),
		RequestID: []byte("01JQ8Z5X2M4N6P8R0T2V4X6Z8A"), Client: netip.MustParseAddr("192.0.2.17"),
		Method: []byte("GET"), Host: []byte("governance.example.com"), Path: []byte("/resource/_system/governance/apimgt/applicationdata/icons/1.png"),
		Proto: "HTTP/1.1", TLS: "TLS 1.3", Status: 200, Bytes: 1024, BytesIn: 4096,
		Service: "governance", Domain: "governance.domain", SubDomain: "mgt", Member: "node-1.example.com", Attempts: 1,
		Wait: 21300, Connect: 245 * time.Microsecond, FirstByte: 1234567, Total: 1345678,
	}
}

func newLog(tb testing.TB, w io.Writer, f Format, o Options) *Log {
	tb.Helper()
	l, err := New(w, f, o)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// BenchmarkAdd has the writer's share in it: without the flushes a loop that does nothing but Add would mostly measure drops.
func BenchmarkAdd(b *testing.B) {
	const flushEvery = 500
	for name, f := range map[string]Format{"text": Text, "json": JSON} {
		b.Run(name, func(b *testing.B) {
			l := newLog(b, io.Discard, f, Options{})
			r := usual()
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				if l.Add(r); n%flushEvery == 0 {
					_ = l.Flush(b.Context())
				}
			}
			reportDrops(b, l)
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			l := newLog(b, io.Discard, f, Options{})
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				r := usual()
				for n := 0; pb.Next(); n++ {
					if l.Add(r); n%flushEvery == 0 {
						_ = l.Flush(b.Context())
					}
				}
			})
			reportDrops(b, l)
		})
	}
}

// reportDrops closes the log and tells which part of the records was dropped, since a dropped one costs next to nothing.
func reportDrops(b *testing.B, l *Log) {
	b.Helper()
	if err := l.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(l.dropped.Load())/float64(b.N), "dropped/op")
}

func BenchmarkRecord(b *testing.B) {
	for name, f := range map[string]Format{"text": Text, "json": JSON} {
		for kind, path := range map[string]string{"plain": string(usual().Path), "escaped": fmt.Sprintf("/a\n%063d", 0)} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				r := usual()
				r.Path = []byte(path)
				l := &line{buf: make([]byte, 0, maxLine), json: f == JSON}
				c := &clock{json: f == JSON}
				b.ReportAllocs()
				for b.Loop() {
					l.buf = l.buf[:0]
					l.record(r, "", c)
				}
				b.SetBytes(int64(len(l.buf)))
			})
		}
	}
}
