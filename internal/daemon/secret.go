package daemon

import (
	"log/slog"
	"os"
	"strings"
)

// Secret is a configured value that never shows in logs, errors or dumps.
type Secret string

// String hides the value.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "***"
}

// LogValue hides the value.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the value.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal gives the value.
func (s Secret) Reveal() string { return string(s) }

// ReadSecretFile reads a secret from the first line of a file.
func ReadSecretFile(file string) (Secret, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return Secret(strings.TrimSpace(line)), nil
}
