package elbd

import (
	"testing"

	"go.uber.org/goleak"
)

// A probe of memberlist that runs when its group is left ends by itself, some seconds later.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).probeNode"))
}
