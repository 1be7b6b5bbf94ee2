package e2e_test

import (
	"os"
	"testing"

	"github.com/regent-registry/regent/internal/e2e"
)

// TestMain lets the test binary be the programs that the tests start.
func TestMain(m *testing.M) {
	if status, ok := e2e.Become(); ok {
		os.Exit(status)
	}
	os.Exit(m.Run())
}

// slow skips a journey in the inner loop.
func slow(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts processes; not in -short")
	}
}
