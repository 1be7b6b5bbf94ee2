package main

import "math"

// of gives the valid runs of a cell.
func (r regResults) of(c cell) []regRecord {
	var found []regRecord
	for _, rec := range r.Records {
		if rec.cell == c && rec.Invalid == "" {
			found = append(found, rec)
		}
	}
	return found
}

// invalid are the runs that do not count.
func (r regResults) invalid() []regRecord {
	return invalidOf(r.Records, func(rec regRecord) string { return rec.Invalid })
}

// value is a figure of one run; 0 when there is none.
func (r regRecord) value(f regFigure) float64 {
	switch f {
	case figureRate:
		return r.Rate
	case figureStatements:
		return r.Statements
	case figurePerCPU:
	}
	if r.CPU <= 0 {
		return 0
	}
	return 1e6 / r.CPU
}

// ratio compares a figure of two cells; see [ratios].
func (r regResults) ratio(c, rival cell, f regFigure) spread {
	readings := func(c cell) []reading {
		var all []reading
		for _, rec := range r.of(c) {
			all = append(all, reading{rec.Round, rec.value(f), rec.Noise})
		}
		return all
	}
	return ratios(readings(c), readings(rival))
}

// regSummary is a cell over the runs that were kept.
type regSummary struct {
	Rig                                                      rigName
	Rate, P50, P99, CPU, Database, PerCPU, Statements, Noise spread
	ToEtcd, ToHello                                          spread // operations per CPU second, as a ratio to etcd's over gRPC, and to hello's
	Measured                                                 int
}

func (r regResults) summarise(c cell) regSummary {
	all := r.of(c)
	kept := quiet(all, func(rec regRecord) float64 { return rec.Noise })
	over := func(get func(regRecord) float64) spread {
		var values []float64
		for _, rec := range kept {
			values = append(values, get(rec))
		}
		return spreadOf(values)
	}
	return regSummary{
		Rig:        c.Rig,
		Rate:       over(func(r regRecord) float64 { return r.Rate }),
		P50:        over(func(r regRecord) float64 { return r.P50 }),
		P99:        over(func(r regRecord) float64 { return r.P99 }),
		CPU:        over(func(r regRecord) float64 { return r.CPU }),
		Database:   over(func(r regRecord) float64 { return r.Database }),
		PerCPU:     over(func(r regRecord) float64 { return r.value(figurePerCPU) }),
		Statements: over(func(r regRecord) float64 { return r.Statements }),
		Noise:      over(func(r regRecord) float64 { return r.Noise }),
		ToEtcd:     r.ratio(c, cell{c.Op, rigEtcd}, figurePerCPU),
		ToHello:    r.ratio(c, cell{"get", rigHello}, figurePerCPU),
		Measured:   len(all),
	}
}

// regVerdict is what became of a bar.
type regVerdict struct {
	regBar
	Value spread
}

// Judged is false when nothing was measured that the bar speaks of.
func (v regVerdict) Judged() bool { return v.Value.N > 0 }

// Met compares the figure as it is printed, with two digits.
func (v regVerdict) Met() bool {
	got := math.Round(v.Value.Median*100) / 100
	if v.Figure == figureStatements {
		return v.Judged() && got <= v.Limit
	}
	return v.Judged() && got >= v.Limit
}

func (r regResults) verdicts() []regVerdict {
	var all []regVerdict
	for _, b := range regBars() {
		v := regVerdict{regBar: b}
		if b.Figure == figureStatements {
			v.Value = r.summarise(b.Cell).Statements
		} else {
			v.Value = r.ratio(b.Cell, b.Rival, b.Figure)
		}
		all = append(all, v)
	}
	return all
}
