package auth

import "sync/atomic"

// CountHashes counts the hashes that a makes from now on.
func (a *Authenticator) CountHashes() *atomic.Int64 {
	n, verify := new(atomic.Int64), a.verifier.verify
	a.verifier.verify = func(phc, password string) (bool, error) {
		n.Add(1)
		return verify(phc, password)
	}
	return n
}
