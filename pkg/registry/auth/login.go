package auth

import (
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/regent-registry/regent/pkg/registry"
)

// SuperTenant is the domain of the tenant that every registry has, as WSO2 called it; it is the only one so far.
const SuperTenant = "carbon.super"

const superSuffix = "@" + SuperTenant

// LoginName gives the name of the user that somebody signs in as, in its composed form: "ann" for "ann" and "ann@carbon.super". Whatever else follows an @
// belongs to the name, as in one that is a mail address; so "ann@example.org" is that user, and nobody when there is none. Here is the door of tenants: a domain
// that another one has would be cut off as well, and the rest looked up among that tenant's users.
func LoginName(typed string) string {
	name := norm.NFC.String(typed)
	if ofSuperTenant(name) {
		name = name[:len(name)-len(superSuffix)]
	}
	return name
}

// ofSuperTenant tells whether a name ends in the domain of the super tenant; domains have no case.
func ofSuperTenant(name string) bool {
	n := len(name) - len(superSuffix)
	return n > 0 && strings.EqualFold(name[n:], superSuffix)
}

// CheckUserName tells why name cannot be a user name: it has 1 to [registry.MaxUserNameLength] characters, none of them a colon (Basic
// authentication ends the name there) or a control character, and does not end in the domain of the super tenant. The error has [registry.CodeInvalid].
func CheckUserName(name string) error {
	if ofSuperTenant(name) {
		return registry.Errorf(registry.CodeInvalid, "user name ends in %s, which stands for the tenant when somebody signs in; leave it out", superSuffix)
	}
	return checkName("user name", name)
}
