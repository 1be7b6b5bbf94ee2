package auth

import (
	"context"

	"golang.org/x/text/unicode/norm"

	"github.com/regent-registry/regent/pkg/registry"
)

// ResetPassword gives a user a new password and ends all their sessions. Needs [registry.GrantUsers], in person, and is not for the own account.
func (a *Authenticator) ResetPassword(ctx context.Context, by registry.Actor, name, password string) error {
	if err := manage(by); err != nil {
		return err
	}
	if err := a.rules.Check(name, password); err != nil {
		return err
	}
	if err := inPerson(by); err != nil {
		return err
	}
	if norm.NFC.String(name) == by.User {
		return registry.Errorf(registry.CodeDenied, "change your own password by means of the old one")
	}
	phc, err := a.hash(ctx, password)
	if err != nil {
		return err
	}
	return a.accounts.ChangeUser(ctx, a.opEver(by), name, func(u registry.User, _ int) (registry.UserChange, error) {
		if err := outranks(by, u.Roles, u.Grants); err != nil {
			return registry.UserChange{}, err
		}
		u.Password = phc
		return registry.UserChange{User: u, EndSessions: true}, nil
	})
}

// ChangePassword gives the actor a new password, who must know the old one, and ends all their sessions but the one with the given token. The new one must be
// another one ([registry.CodeInvalid]).
func (a *Authenticator) ChangePassword(ctx context.Context, by registry.Actor, from Client, keep, old, password string) error {
	if err := inPerson(by); err != nil {
		return err
	}
	checked, err := a.checkPassword(ctx, by.User, old, from.Address)
	switch registry.CodeOf(err) {
	case "":
	case registry.CodeUnauthenticated:
		return registry.Errorf(registry.CodeDenied, "the old password is wrong")
	default:
		return err
	}
	if norm.NFC.String(password) == norm.NFC.String(old) {
		return registry.Errorf(registry.CodeInvalid, "the new password is the old one; choose another one")
	}
	if err := a.rules.Check(by.User, password); err != nil {
		return err
	}
	phc, err := a.hash(ctx, password)
	if err != nil {
		return err
	}
	hash, _ := tokenHash(keep)
	return a.accounts.ChangeUser(ctx, a.opEver(by), by.User, func(u registry.User, _ int) (registry.UserChange, error) {
		if u.ID != by.UserID || u.Password != checked.Password || u.Disabled { // an administrator may have taken the account back
			return registry.UserChange{}, registry.Errorf(registry.CodeUnauthenticated, "the user has changed; sign in again")
		}
		u.Password = phc
		return registry.UserChange{User: u, EndSessions: true, KeepSession: hash}, nil
	})
}
