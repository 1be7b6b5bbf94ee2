package registryd

import (
	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/registry/auth"
)

// Passwords is the passwords block.
type Passwords struct {
	MinLength  int `yaml:"min_length"`  // characters of a new password
	MinClasses int `yaml:"min_classes"` // how many of lower case, upper case, digits and others a new password must have
	Guesses    int `yaml:"guesses"`     // wrong ones that an address may try at one account before it must wait a minute for each
}

func (p Passwords) validate(d *daemon.Document) []error {
	var faults []error
	fault := func(key, format string, args ...any) {
		faults = append(faults, d.Fault("passwords."+key, format, args...))
	}
	if n := p.MinLength; n < auth.MinPasswordLength || n > auth.MaxPasswordLength {
		fault("min_length", "is %d; it must be %d to %d", n, auth.MinPasswordLength, auth.MaxPasswordLength)
	}
	if n := p.MinClasses; n < 1 || n > 4 {
		fault("min_classes", "is %d; it must be 1 to 4", n)
	}
	if p.Guesses < 1 {
		fault("guesses", "is %d; it must be at least 1", p.Guesses)
	}
	return faults
}
