package main

// What `bench registry` measures: kinds of operations, each on several rigs.

// rigName names what an operation is sent to.
type rigName string

const (
	rigNode      rigName = "node"      // one registry node and MariaDB
	rigCluster   rigName = "elb+3"     // elb, three nodes and MariaDB
	rigUngrouped rigName = "ungrouped" // one node that commits each change alone, and MariaDB
	rigEtcd      rigName = "etcd"      // gRPC on one connection
	rigGateway   rigName = "gateway"   // the same etcd's JSON gateway
	rigHello     rigName = "hello"     // net/http that answers 1 KiB
	rigMariaDB   rigName = "mariadb"   // one statement each
)

// cell is an operation on a rig.
type cell struct {
	Op  string  `json:"op"`
	Rig rigName `json:"rig"`
}

// writes tells whether the cell changes the tables, and so needs fresh ones.
func (c cell) writes() bool { return c.Op == "put" || c.Op == "cas" }

// cells are all that is measured, those of one operation together.
func cells() []cell {
	return []cell{
		{"get", rigNode},
		{"get", rigCluster},
		{"get", rigEtcd},
		{"get", rigGateway},
		{"get", rigMariaDB},
		{"get", rigHello},
		{"list", rigNode},
		{"list", rigCluster},
		{"list", rigEtcd},
		{"put", rigNode},
		{"put", rigCluster},
		{"put", rigUngrouped},
		{"put", rigEtcd},
		{"put", rigGateway},
		{"put", rigMariaDB},
		{"cas", rigNode},
		{"cas", rigCluster},
		{"cas", rigEtcd},
		{"cas", rigGateway},
	}
}

// operationTitles say what the operations are.
func operationTitles() []struct{ Op, Title string } {
	return []struct{ Op, Title string }{
		{"get", "Strong GET of 1 KiB, 10,000 resources, all in memory"},
		{"list", "List of 100 (of etcd: the keys alone)"},
		{"put", "PUT of 1 KiB over one of 10,000 resources"},
		{"cas", "The same on condition that nobody changed it (If-Match; of etcd a transaction)"},
	}
}

// regFigure is what a bar of the registry is about. Of all of them more is better, but of statements.
type regFigure string

const (
	figurePerCPU     regFigure = "operations per CPU second"
	figureRate       regFigure = "operations per second"
	figureStatements regFigure = "statements per operation"
)

// regBar is what the registry has to reach: its figure divided by the rival's of the same round, median over the rounds, is at least (for
// statements, which have no rival: at most) Limit.
type regBar struct {
	Cell   cell      `json:"cell"`
	Figure regFigure `json:"figure"`
	Rival  cell      `json:"rival"`
	Limit  float64   `json:"limit"`
}

func regBars() []regBar {
	return []regBar{
		{cell{"get", rigNode}, figurePerCPU, cell{"get", rigEtcd}, 2.5},
		{cell{"get", rigNode}, figurePerCPU, cell{"get", rigGateway}, 5},
		{cell{"get", rigNode}, figureStatements, cell{}, 0.12},
		{cell{"put", rigNode}, figurePerCPU, cell{"cas", rigEtcd}, 0.7},
		{cell{"put", rigNode}, figurePerCPU, cell{"cas", rigGateway}, 1.8},
		{cell{"put", rigNode}, figureRate, cell{"put", rigUngrouped}, 6},
	}
}
