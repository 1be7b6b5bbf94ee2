// Command elb is the elastic load balancer in front of a cluster.
package main

import (
	"os"

	"github.com/regent-registry/regent/internal/elbd"
)

func main() {
	os.Exit(elbd.Main(os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}
