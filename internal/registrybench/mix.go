package registrybench

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Operation is what a request does.
type Operation int

// The operations.
const (
	Put  Operation = iota // store the next content of a resource
	Get                   // read a resource
	List                  // list a collection of up to 100 resources
	operations
)

// String is the name, as [ParseMix] takes it.
func (o Operation) String() string { return [...]string{"put", "get", "list"}[o] }

// Mix has the weight of each operation.
type Mix [operations]int

// maxWeight bounds a weight.
const maxWeight = 1_000_000

// ParseMix reads "put=10,get=80,list=10". What is not named has the weight 0.
func ParseMix(s string) (Mix, error) {
	var m Mix
	total := 0
	for part := range strings.SplitSeq(s, ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(part), "=")
		o := Put
		for o < operations && o.String() != name {
			o++
		}
		n, err := strconv.Atoi(weight)
		if o == operations || err != nil || n < 0 || n > maxWeight {
			return Mix{}, fmt.Errorf("mix: %q is not put, get or list with a weight from 0 to %d, such as put=10", part, maxWeight)
		}
		total += n - m[o]
		m[o] = n
	}
	if total == 0 {
		return Mix{}, fmt.Errorf("mix: %q has no weight above 0", s)
	}
	return m, nil
}

// String is what [ParseMix] reads.
func (m Mix) String() string {
	var parts []string
	for o, weight := range m {
		if weight > 0 {
			parts = append(parts, fmt.Sprintf("%s=%d", Operation(o), weight))
		}
	}
	return strings.Join(parts, ",")
}

// pick chooses an operation by the weights.
func (m Mix) pick(random *rand.Rand) Operation {
	n := random.IntN(m[Put] + m[Get] + m[List])
	switch {
	case n < m[Put]:
		return Put
	case n < m[Put]+m[Get]:
		return Get
	}
	return List
}
