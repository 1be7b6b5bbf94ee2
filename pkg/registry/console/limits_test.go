package console

import "time"

// Pages are compared whole here, however slow the machine is.
func init() {
	highlightLimit, proseLimit, suggestLimit = time.Minute, time.Minute, time.Minute
}
