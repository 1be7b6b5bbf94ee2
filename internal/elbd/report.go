package elbd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/regent-registry/regent/pkg/lb"
)

// Reports are what ELBs tell each other of members, as messages of gossip. Numbers are uvarints, a text is its length and its bytes (UTF-8 without control
// characters, 255 at most):
//
//	version (1 byte) · flags (1 byte) · number of the report · verdicts to the end
//	verdict: pool (1 byte) · domain and sub-domain if that is 1; 0 is the pool of the verdict before · id · condition (1 byte) · age (milliseconds)
//
// Ages spare the ELBs a common clock. A condition that is not known is skipped, so that some can be added; another change raises the version.
const (
	reportVersion = 1
	flagWhole     = 1

	reportTextMost = 255
	verdictsMost   = 4096
	ageMost        = 10 * 365 * 24 * time.Hour
	headMost       = 2 + binary.MaxVarintLen64
)

const (
	poolSame = iota
	poolOther
)

// report is one report. A whole one has all members that its ELB knows, as far as there is room; another one those that have just come into trouble.
type report struct {
	number   uint64 // grows from report to report of one ELB
	whole    bool
	verdicts []verdict
}

// verdict is what an ELB makes of a member.
type verdict struct {
	member    lb.MemberKey
	condition lb.Condition
	age       time.Duration // for how long
}

// conditionCodes are the conditions in the order of their numbers in reports. Append only.
func conditionCodes() []lb.Condition {
	return []lb.Condition{
		lb.ConditionUp, lb.ConditionUnproven, lb.ConditionSuspect, lb.ConditionEjected, lb.ConditionDown, lb.ConditionLost,
		lb.ConditionDraining, lb.ConditionDrained, lb.ConditionJoining, lb.ConditionMaintenance, lb.ConditionStray,
	}
}

// encode writes the report with as many of its verdicts as fit into most bytes, and tells how many that are. One that could not be read is counted, and left
// out.
func (r *report) encode(most int) (b []byte, taken int) {
	b = make([]byte, 0, min(most, headMost+64*len(r.verdicts)))
	b = append(b, reportVersion, 0)
	if r.whole {
		b[1] = flagWhole
	}
	b = binary.AppendUvarint(b, r.number)
	codes := conditionCodes()
	var pool *lb.MemberKey
	for i := range r.verdicts {
		v := &r.verdicts[i]
		code := slices.Index(codes, v.condition)
		if code < 0 || v.member.ID == "" || checkReportText(v.member.Domain) != nil || checkReportText(v.member.SubDomain) != nil || checkReportText(v.member.ID) != nil {
			taken++
			continue
		}
		before := len(b)
		if pool != nil && pool.Domain == v.member.Domain && pool.SubDomain == v.member.SubDomain {
			b = append(b, poolSame)
		} else {
			b = append(b, poolOther)
			b = appendText(b, v.member.Domain)
			b = appendText(b, v.member.SubDomain)
		}
		b = appendText(b, v.member.ID)
		b = append(b, byte(code))
		b = binary.AppendUvarint(b, uint64(min(max(v.age, 0), ageMost)/time.Millisecond))
		if len(b) > most || taken == verdictsMost {
			return b[:before], taken
		}
		pool = &v.member
		taken++
	}
	return b, taken
}

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func checkReportText(s string) error {
	if len(s) > reportTextMost {
		return fmt.Errorf("a text of %d bytes is over the limit of %d", len(s), reportTextMost)
	}
	if !utf8.ValidString(s) {
		return errors.New("a text is not UTF-8")
	}
	for _, c := range s {
		if unicode.IsControl(c) {
			return errors.New("a text has control characters")
		}
	}
	return nil
}

// decodeReport reads a report, of this version or a compatible later one.
func decodeReport(b []byte) (report, error) {
	var r report
	if len(b) < 2 {
		return r, errors.New("the report is cut off")
	}
	if b[0] != reportVersion {
		return r, fmt.Errorf("the report has version %d, this program reads version %d", b[0], reportVersion)
	}
	r.whole = b[1]&flagWhole != 0
	in := reportReader{rest: b[2:]}
	r.number = in.number()
	codes := conditionCodes()
	var pool lb.MemberKey
	for count := 0; in.err == nil && len(in.rest) > 0; count++ {
		if count == verdictsMost {
			return report{}, fmt.Errorf("the report has more than %d verdicts", verdictsMost)
		}
		switch other := in.byte(); {
		case other == poolOther:
			pool = lb.MemberKey{Domain: in.text(), SubDomain: in.text()}
		case other != poolSame || count == 0:
			in.fail(errors.New("a verdict is of no pool"))
		}
		v := verdict{member: pool}
		v.member.ID = in.text()
		if v.member.ID == "" {
			in.fail(errors.New("a verdict is of no member"))
		}
		code, age := in.byte(), in.number()
		v.age = time.Duration(min(age, uint64(ageMost/time.Millisecond))) * time.Millisecond
		if int(code) < len(codes) {
			v.condition = codes[code]
			r.verdicts = append(r.verdicts, v)
		}
	}
	if in.err != nil {
		return report{}, in.err
	}
	return r, nil
}

// reportReader reads values one after the other. After the first fault all are zero.
type reportReader struct {
	rest []byte
	err  error
}

func (r *reportReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.rest = nil
}

func (r *reportReader) byte() byte {
	if len(r.rest) == 0 {
		r.fail(errors.New("the report is cut off"))
		return 0
	}
	c := r.rest[0]
	r.rest = r.rest[1:]
	return c
}

func (r *reportReader) number() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.fail(errors.New("a number is cut off or too large"))
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reportReader) text() string {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.fail(errors.New("a text is cut off"))
		return ""
	}
	s := string(r.rest[:n])
	if err := checkReportText(s); err != nil {
		r.fail(err)
		return ""
	}
	r.rest = r.rest[n:]
	return s
}
