package drill

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Unanswered is how many POSTs a member has begun and not answered, by the lines that it wrote: those that its death may cost.
func Unanswered(lines string) int {
	return strings.Count(lines, begunLine) - strings.Count(lines, endedLine)
}

// Late gives for each request that came to a member while it drained how long that was after it had said so.
func Late(lines string) (late []time.Duration) {
	for line := range strings.Lines(lines) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), lateWord); ok {
			if ms, err := strconv.Atoi(text); err == nil { // the last line of a killed process may be cut
				late = append(late, time.Duration(ms)*time.Millisecond)
			}
		}
	}
	return late
}

// LeftOut reads in a log of elb (in JSON) when it first said, after a time, that it does not use a member any more, by the member's name or id.
func LeftOut(log, member string, after time.Time) (at time.Time, ok bool) {
	for line := range strings.Lines(log) {
		if !strings.Contains(line, `"msg":"member ejected"`) && !strings.Contains(line, `"msg":"member is down`) {
			continue
		}
		var record struct {
			Time     time.Time
			Name, ID string
		}
		if json.Unmarshal([]byte(line), &record) == nil && (record.Name == member || record.ID == member) && record.Time.After(after) {
			return record.Time, true
		}
	}
	return time.Time{}, false
}
