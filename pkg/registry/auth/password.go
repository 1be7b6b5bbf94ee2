package auth

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"github.com/regent-registry/regent/pkg/registry"
)

// Limits of a password.
const (
	MinPasswordLength = 8    // characters
	MaxPasswordLength = 1024 // bytes
)

// What a new hash costs: the least of OWASP's equal choices in memory (19 MiB, two passes), so that two at a time fit in any node.
const (
	hashMemory = 19 * 1024 // KiB
	hashPasses = 2
	hashLanes  = 1
	saltSize   = 16
	keySize    = 32
)

// The most that a stored hash may ask for: a broken or forged row must not take the node's memory or time.
const (
	maxMemory = 256 * 1024 // KiB
	maxPasses = 16
	maxLanes  = 16
	maxField  = 64 // bytes of salt or key
)

// PasswordRules say which new passwords are taken, beside the limits that always hold. The zero value asks for the least.
type PasswordRules struct {
	MinLength  int // characters; MinPasswordLength when less
	MinClasses int // how many of lower case, upper case, digits and others must be there
}

func (p PasswordRules) complete() PasswordRules {
	p.MinLength = max(p.MinLength, MinPasswordLength)
	return p
}

// Check tells why password cannot be a new password of the user; the error has [registry.CodeInvalid].
func (p PasswordRules) Check(user, password string) error {
	if err := CheckPassword(password); err != nil {
		return err
	}
	if utf8.RuneCountInString(password) < p.MinLength {
		return registry.Errorf(registry.CodeInvalid, "password is too short; it must have %d characters or more", p.MinLength)
	}
	if strings.EqualFold(user, password) {
		return registry.Errorf(registry.CodeInvalid, "password must not be the user name")
	}
	var lower, upper, digit, other int
	for _, r := range password {
		switch {
		case unicode.IsLower(r):
			lower = 1
		case unicode.IsUpper(r):
			upper = 1
		case unicode.IsDigit(r):
			digit = 1
		default:
			other = 1
		}
	}
	if n := lower + upper + digit + other; n < p.MinClasses {
		return registry.Errorf(registry.CodeInvalid, "password has %d of lower case, upper case, digits and others; it must have %d of them", n, p.MinClasses)
	}
	return nil
}

// CheckPassword tells why password cannot be a new password; the error has [registry.CodeInvalid].
func CheckPassword(password string) error {
	switch {
	case utf8.RuneCountInString(password) < MinPasswordLength:
		return registry.Errorf(registry.CodeInvalid, "password is too short; it must have %d characters or more", MinPasswordLength)
	case len(password) > MaxPasswordLength:
		return registry.Errorf(registry.CodeInvalid, "password is too long; it must have %d bytes at most", MaxPasswordLength)
	}
	return nil
}

// HashPassword makes the PHC string of a new password, with a fresh salt. The error is that of [CheckPassword]. It takes some 20 ms and 19 MiB.
func HashPassword(password string) (string, error) {
	if err := CheckPassword(password); err != nil {
		return "", err
	}
	h := phcHash{memory: hashMemory, passes: hashPasses, lanes: hashLanes, salt: make([]byte, saltSize), key: make([]byte, keySize)}
	rand.Read(h.salt) // never fails: crypto/rand ends the program instead
	h.key = h.derive(norm.NFC.String(password))
	return h.String(), nil
}

// decoyHash is a PHC string as costly to check as a real one, which no password has.
func decoyHash() string {
	h := phcHash{memory: hashMemory, passes: hashPasses, lanes: hashLanes, salt: make([]byte, saltSize), key: make([]byte, keySize)}
	rand.Read(h.salt)
	rand.Read(h.key)
	return h.String()
}

// phcHash is an argon2id hash of version 19: "$argon2id$v=19$m=19456,t=2,p=1$<salt>$<key>".
type phcHash struct {
	memory uint32 // KiB
	passes uint32
	lanes  uint8
	salt   []byte
	key    []byte
}

// String gives the one way to write h.
func (h phcHash) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.passes, h.lanes,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.key))
}

func (h phcHash) derive(password string) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.lanes, uint32(len(h.key)))
}

// verifyPassword tells whether a normalised password has that PHC string.
func verifyPassword(phc, password string) (bool, error) {
	h, err := parsePHC(phc)
	if err != nil {
		return false, fmt.Errorf("stored password hash: %w", err)
	}
	return subtle.ConstantTimeCompare(h.derive(password), h.key) == 1, nil
}

// parsePHC reads what [phcHash.String] writes and nothing else: no other algorithm, order of parameters or spelling of a number.
func parsePHC(s string) (phcHash, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return phcHash{}, errors.New("not an argon2id hash of version 19")
	}
	params := strings.Split(parts[3], ",")
	if len(params) != 3 {
		return phcHash{}, errors.New("not the three parameters m, t and p")
	}
	lanes, err := parseParam(params[2], "p=", 1, maxLanes)
	if err != nil {
		return phcHash{}, err
	}
	memory, err := parseParam(params[0], "m=", 8*lanes, maxMemory)
	if err != nil {
		return phcHash{}, err
	}
	passes, err := parseParam(params[1], "t=", 1, maxPasses)
	if err != nil {
		return phcHash{}, err
	}
	h := phcHash{memory: memory, passes: passes, lanes: uint8(lanes)}
	if h.salt, err = parseField(parts[4], "salt", 8); err != nil {
		return phcHash{}, err
	}
	if h.key, err = parseField(parts[5], "key", 16); err != nil {
		return phcHash{}, err
	}
	return h, nil
}

func parseParam(s, name string, least, most uint32) (uint32, error) {
	digits, ok := strings.CutPrefix(s, name)
	n, err := strconv.ParseUint(digits, 10, 32)
	if !ok || err != nil || strconv.FormatUint(n, 10) != digits {
		return 0, fmt.Errorf("parameter %s is not a number in its place", name)
	}
	if n < uint64(least) || n > uint64(most) {
		return 0, fmt.Errorf("parameter %s%d is not from %d to %d", name, n, least, most)
	}
	return uint32(n), nil
}

func parseField(s, name string, least int) ([]byte, error) {
	b, err := base64.RawStdEncoding.Strict().DecodeString(s)
	// The decoder skips line ends, which would make a second spelling.
	if err != nil || strings.ContainsAny(s, "\r\n") {
		return nil, fmt.Errorf("the %s is not base64", name)
	}
	if len(b) < least || len(b) > maxField {
		return nil, fmt.Errorf("the %s has %d bytes, not %d to %d", name, len(b), least, maxField)
	}
	return b, nil
}
