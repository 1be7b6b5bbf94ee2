package membership

import "testing"

// EncodeMeta gives tests the metadata of m.
func EncodeMeta(t *testing.T, m Member) []byte {
	t.Helper()
	data, err := encodeMeta(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
