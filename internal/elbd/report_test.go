package elbd

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/regent-registry/regent/pkg/lb"
	"github.com/regent-registry/regent/pkg/membership"
)

func sampleReport() report {
	in := func(domain, sub, id string) lb.MemberKey {
		return lb.MemberKey{Domain: domain, SubDomain: sub, ID: id}
	}
	r := report{number: 300, whole: true}
	for i, c := range conditionCodes() {
		r.verdicts = append(r.verdicts, verdict{in("wso2.governance.domain", "mgt", fmt.Sprintf("01M82BYV010RP3VHTB4VT27Z%02d", i)), c, time.Duration(i) * time.Second})
	}
	return report{r.number, r.whole, append(r.verdicts, verdict{in("legacy.domain", "", "http://127.0.0.1:9001"), lb.ConditionDown, 90 * time.Minute})}
}

func TestReport_RoundTrip(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]report{
		"whole": sampleReport(), "empty": {number: 1}, "a part": {number: 1 << 63, verdicts: sampleReport().verdicts[4:5]},
	} {
		b, taken := r.encode(membership.MaxMessage)
		if taken != len(r.verdicts) {
			t.Errorf("%s: %d taken", name, taken)
		}
		got, err := decodeReport(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := cmp.Diff(r, got, cmp.AllowUnexported(report{}, verdict{})); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// The bytes are fixed: ELBs are upgraded one after the other.
func TestReport_BytesAreStable(t *testing.T) {
	t.Parallel()
	r := report{number: 300, verdicts: []verdict{
		{lb.MemberKey{Domain: "d", SubDomain: "mgt", ID: "a"}, lb.ConditionDown, 1500 * time.Millisecond},
		{lb.MemberKey{Domain: "d", SubDomain: "mgt", ID: "b"}, lb.ConditionStray, 0},
	}}
	b, _ := r.encode(1000)
	want := "01" + "00" + "ac02" + "01" + "0164" + "036d6774" + "0161" + "04" + "dc0b" + "00" + "0162" + "0a" + "00"
	if got := hex.EncodeToString(b); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestReport_IsCutAtTheLimit(t *testing.T) {
	t.Parallel()
	r := report{number: 1}
	for i := range 10000 {
		r.verdicts = append(r.verdicts, verdict{lb.MemberKey{Domain: "d", ID: fmt.Sprintf("%026d", i)}, lb.ConditionUp, time.Hour})
	}
	for _, most := range []int{40, 1100, membership.MaxMessage, 1 << 20} {
		b, taken := r.encode(most)
		got, err := decodeReport(b)
		if err != nil || len(got.verdicts) != taken || len(b) > most || taken == 0 || taken > verdictsMost {
			t.Errorf("%d bytes: %d long, %d taken, %d read, %v", most, len(b), taken, len(got.verdicts), err)
		}
	}
}

// What could not be read at the other end is left out, not sent.
func TestReport_LeavesOutWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	good := verdict{lb.MemberKey{Domain: "d", ID: "good"}, lb.ConditionUp, 0}
	r := report{verdicts: []verdict{
		{lb.MemberKey{Domain: "d"}, lb.ConditionUp, 0},
		{lb.MemberKey{Domain: "d", ID: strings.Repeat("x", 256)}, lb.ConditionUp, 0},
		{lb.MemberKey{Domain: "d\n", ID: "x"}, lb.ConditionUp, 0},
		{lb.MemberKey{Domain: "d", SubDomain: "\xff", ID: "x"}, lb.ConditionUp, 0},
		{lb.MemberKey{Domain: "d", ID: "x"}, "no condition", 0},
		{good.member, good.condition, -time.Second},
	}}
	b, taken := r.encode(1000)
	got, err := decodeReport(b)
	if err != nil || taken != len(r.verdicts) || len(got.verdicts) != 1 || got.verdicts[0] != good {
		t.Errorf("%d taken, %+v, %v", taken, got, err)
	}
}

func TestDecodeReport_Refuses(t *testing.T) {
	t.Parallel()
	text := func(s string) string { return string(appendText(nil, s)) }
	for name, b := range map[string]string{
		"nothing":                     "",
		"a version alone":             "\x01",
		"another version":             "\x02\x00\x00",
		"no number":                   "\x01\x00",
		"an endless number":           "\x01\x00" + strings.Repeat("\xff", 11),
		"the same pool at first":      "\x01\x00\x00" + "\x00" + text("a") + "\x00\x00",
		"an unknown kind of pool":     "\x01\x00\x00" + "\x02" + text("a") + "\x00\x00",
		"no member":                   "\x01\x00\x00" + "\x01" + text("d") + text("") + text("") + "\x00\x00",
		"a text longer than the rest": "\x01\x00\x00" + "\x01\x7fd",
		"a text over the limit":       "\x01\x00\x00" + "\x01" + text(strings.Repeat("d", 256)) + text("") + text("a") + "\x00\x00",
		"a line break":                "\x01\x00\x00" + "\x01" + text("d\n") + text("") + text("a") + "\x00\x00",
		"no UTF-8":                    "\x01\x00\x00" + "\x01" + text("d") + text("\xff") + text("a") + "\x00\x00",
		"no condition":                "\x01\x00\x00" + "\x01" + text("d") + text("") + text("a"),
		"no age":                      "\x01\x00\x00" + "\x01" + text("d") + text("") + text("a") + "\x00",
		"too many":                    "\x01\x00\x00" + "\x01" + text("d") + text("") + text("a") + "\x00\x00" + strings.Repeat("\x00"+text("a")+"\x00\x00", verdictsMost),
	} {
		if r, err := decodeReport([]byte(b)); err == nil {
			t.Errorf("%s: read as %+v", name, r)
		}
	}
}

func TestDecodeReport_SkipsConditionsOfTheFuture(t *testing.T) {
	t.Parallel()
	b := []byte("\x01\x02\x07" + "\x01\x01d\x00\x01a\xc8\x00" + "\x00\x01b\x00\x00")
	r, err := decodeReport(b)
	if err != nil || r.whole || r.number != 7 || len(r.verdicts) != 1 || r.verdicts[0].member.ID != "b" {
		t.Errorf("%+v, %v", r, err)
	}
}

// FuzzDecodeReport: whatever a peer sends, reading it does not fail otherwise than by an error, stays within bounds, and gives what can be sent again.
func FuzzDecodeReport(f *testing.F) {
	sample := sampleReport()
	b, _ := sample.encode(membership.MaxMessage)
	f.Add(b)
	f.Add([]byte("\x01\x00\x00"))
	f.Add([]byte("\x01\x01\x07\x01\x01d\x00\x01a\xc8\x00\x00\x01b\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeReport(b)
		if err != nil {
			if len(r.verdicts) > 0 {
				t.Error("a report that cannot be read has verdicts")
			}
			return
		}
		if len(r.verdicts) > verdictsMost {
			t.Errorf("%d verdicts", len(r.verdicts))
		}
		again, taken := r.encode(1 << 30)
		if taken != len(r.verdicts) {
			t.Fatalf("%d of %d can be sent", taken, len(r.verdicts))
		}
		got, err := decodeReport(again)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(r, got, cmp.AllowUnexported(report{}, verdict{})); d != "" {
			t.Error(d)
		}
		if third, _ := got.encode(1 << 30); !bytes.Equal(again, third) {
			t.Error("the form is not stable")
		}
	})
}
