// Package arch holds the rules of this code base as tests, each with its reason: who may import whom, what every package must say of itself,
// and what no file may hold. It has no code of its own. A rule that stands in the way of a better design is changed here, with its reason, in
// the same commit.
package arch
