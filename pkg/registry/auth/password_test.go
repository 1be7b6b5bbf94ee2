package auth

import (
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// The reference implementation's own example: other tools' hashes must verify here.
const referencePHC = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"

func TestVerifyPassword_AgreesWithTheReference(t *testing.T) {
	for password, want := range map[string]bool{"password": true, "Password": false, "": false} {
		got, err := verifyPassword(referencePHC, password)
		if err != nil || got != want {
			t.Errorf("verifyPassword(reference, %q) = %v, %v; want %v", password, got, err, want)
		}
	}
}

func TestHashPassword_SaltsAndVerifies(t *testing.T) {
	one, err := HashPassword("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	two, err := HashPassword("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if one == two {
		t.Error("two hashes of one password are equal: no salt")
	}
	if !strings.HasPrefix(one, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("PHC string %q has other parameters than it should", one)
	}
	if ok, err := verifyPassword(one, "correct horse"); err != nil || !ok {
		t.Errorf("the right password: %v, %v", ok, err)
	}
	if ok, err := verifyPassword(one, "correct horsf"); err != nil || ok {
		t.Errorf("a wrong password: %v, %v", ok, err)
	}
}

func TestHashPassword_NamesTheLimit(t *testing.T) {
	for p, limit := range map[string]string{"": "8 characters or more", "1234567": "8 characters or more", strings.Repeat("x", 1025): "1024 bytes at most"} {
		_, err := HashPassword(p)
		if registry.CodeOf(err) != registry.CodeInvalid || !strings.Contains(err.Error(), limit) {
			t.Errorf("password of %d bytes: %v; want invalid, with %q", len(p), err, limit)
		}
		if p != "" && strings.Contains(err.Error(), p) {
			t.Error("the error tells the password")
		}
	}
}

func TestDecoyHash_CostsAsMuchAsANewOne(t *testing.T) {
	decoy, err := parsePHC(decoyHash())
	if err != nil {
		t.Fatal(err)
	}
	phc, err := HashPassword("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := parsePHC(phc)
	if err != nil {
		t.Fatal(err)
	}
	if decoy.memory != fresh.memory || decoy.passes != fresh.passes || decoy.lanes != fresh.lanes ||
		len(decoy.salt) != len(fresh.salt) || len(decoy.key) != len(fresh.key) {
		t.Errorf("decoy %+v and a new hash %+v differ in cost", decoy, fresh)
	}
}

func TestParsePHC_RefusesWhatItDoesNotWrite(t *testing.T) {
	const salt, key = "c29tZXNhbHQ", "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for name, s := range map[string]string{
		"empty":            "",
		"plain text":       "hunter2",
		"other algorithm":  "$argon2i$v=19$m=65536,t=2,p=1$" + salt + "$" + key,
		"other version":    "$argon2id$v=16$m=65536,t=2,p=1$" + salt + "$" + key,
		"no version":       "$argon2id$m=65536,t=2,p=1$" + salt + "$" + key,
		"other order":      "$argon2id$v=19$t=2,m=65536,p=1$" + salt + "$" + key,
		"too much memory":  "$argon2id$v=19$m=4194304,t=2,p=1$" + salt + "$" + key,
		"too little":       "$argon2id$v=19$m=7,t=2,p=1$" + salt + "$" + key,
		"less than lanes":  "$argon2id$v=19$m=16,t=2,p=4$" + salt + "$" + key,
		"no passes":        "$argon2id$v=19$m=65536,t=0,p=1$" + salt + "$" + key,
		"too many passes":  "$argon2id$v=19$m=65536,t=1000000,p=1$" + salt + "$" + key,
		"no lanes":         "$argon2id$v=19$m=65536,t=2,p=0$" + salt + "$" + key,
		"leading zero":     "$argon2id$v=19$m=065536,t=2,p=1$" + salt + "$" + key,
		"short salt":       "$argon2id$v=19$m=65536,t=2,p=1$c29t$" + key,
		"short key":        "$argon2id$v=19$m=65536,t=2,p=1$" + salt + "$CTFhFdU",
		"padded":           "$argon2id$v=19$m=65536,t=2,p=1$" + salt + "==$" + key,
		"line end":         "$argon2id$v=19$m=65536,t=2,p=1$" + salt + "\n$" + key,
		"something behind": "$argon2id$v=19$m=65536,t=2,p=1$" + salt + "$" + key + "$x",
	} {
		if h, err := parsePHC(s); err == nil {
			t.Errorf("%s: parsePHC(%q) = %+v, want an error", name, s, h)
		}
	}
}

func FuzzParsePHC(f *testing.F) {
	f.Add(referencePHC)
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=8,t=1,p=1$$")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parsePHC(s)
		if err != nil {
			return
		}
		if h.String() != s {
			t.Errorf("%q parses, but is written %q", s, h.String())
		}
		if h.memory > maxMemory || h.passes > maxPasses || h.lanes > maxLanes || h.lanes < 1 || len(h.salt) > maxField || len(h.key) > maxField {
			t.Errorf("%q asks for more than the limits: %+v", s, h)
		}
	})
}
