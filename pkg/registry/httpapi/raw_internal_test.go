package httpapi

import (
	"mime"
	"testing"
)

// Plain names take a shorter way than others, which must say the same.
func TestContentDisposition_IsAsMimeSays(t *testing.T) {
	for _, name := range []string{"a", "k01.txt", "A-b_c.YAML", "two words.txt", "ü.txt", "semi;colon", `quo"te`, "a.b-c_d0Z"} {
		if got, want := contentDisposition("inline", name), mime.FormatMediaType("inline", map[string]string{"filename": name}); got != want {
			t.Errorf("%q gives %q, want %q", name, got, want)
		}
	}
}

func TestHarmless_LooksPastParameters(t *testing.T) {
	for mediaType, want := range map[string]bool{
		"text/plain": true, "text/plain; charset=utf-8": true, "TEXT/PLAIN": true, "application/json": true,
		"text/html": false, "text/html; charset=utf-8": false, "image/svg+xml": false, "": false, "text/plain;": true, "nonsense": false,
	} {
		if got := harmless(mediaType); got != want {
			t.Errorf("%q is harmless: %t", mediaType, got)
		}
	}
}
