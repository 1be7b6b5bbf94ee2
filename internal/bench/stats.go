package main

import (
	"cmp"
	"math"
	"slices"
)

const (
	// quietNoise is the noise, in per cent of the machine, up to which a run counts as quiet.
	quietNoise = 15
	// fewest is how many runs a median is taken of where there are not enough quiet ones: these many of the quietest.
	fewest = 3
)

// spread is a figure over several runs.
type spread struct {
	Median, Min, Max float64
	N                int
}

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	return spread{Median: median(values), Min: slices.Min(values), Max: slices.Max(values), N: len(values)}
}

// median of values; NaN of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// percentile by nearest rank; 0 of no values.
func percentile(values []float64, percent float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	rank := int(math.Ceil(percent / 100 * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// quiet keeps the runs that a median is taken of: the quiet ones; where they are fewer than fewest, the quietest so many.
func quiet[T any](runs []T, noiseOf func(T) float64) []T {
	sorted := slices.SortedStableFunc(slices.Values(runs), func(a, b T) int { return cmp.Compare(noiseOf(a), noiseOf(b)) })
	n := 0
	for n < len(sorted) && noiseOf(sorted[n]) <= quietNoise {
		n++
	}
	return sorted[:min(max(n, fewest), len(sorted))]
}

// of gives the valid runs of a proxy in a scenario.
func (r results) of(scenario, proxy string) []record {
	var found []record
	for _, rec := range r.Records {
		if rec.Scenario == scenario && rec.Proxy == proxy && rec.Invalid == "" {
			found = append(found, rec)
		}
	}
	return found
}

// value is a figure of one run.
func (r record) value(f figure) float64 {
	if f == figureMemory {
		return r.Memory
	}
	return r.CPU
}

// reading is a figure of one run.
type reading struct {
	round        int
	value, noise float64
}

// ratios compares a figure of two sides: each run with the other's of the same round, over the rounds in which both are quiet and the rival has a figure.
func ratios(own, rivals []reading) spread {
	byRound := map[int]reading{}
	for _, s := range rivals {
		byRound[s.round] = s
	}
	var pairs []reading
	for _, s := range own {
		if other := byRound[s.round]; other.value > 0 {
			pairs = append(pairs, reading{s.round, s.value / other.value, max(s.noise, other.noise)})
		}
	}
	var values []float64
	for _, p := range quiet(pairs, func(p reading) float64 { return p.noise }) {
		values = append(values, p.value)
	}
	return spreadOf(values)
}

// invalidOf are the runs that do not count, those with a reason.
func invalidOf[T any](runs []T, reason func(T) string) []T {
	var found []T
	for _, run := range runs {
		if reason(run) != "" {
			found = append(found, run)
		}
	}
	return found
}

// ratio compares a figure of two proxies; see [ratios].
func (r results) ratio(scenario, proxy, rival string, f figure) spread {
	readings := func(proxy string) []reading {
		var all []reading
		for _, rec := range r.of(scenario, proxy) {
			all = append(all, reading{rec.Round, rec.value(f), rec.Noise})
		}
		return all
	}
	return ratios(readings(proxy), readings(rival))
}

// summary is a proxy in a scenario: figures over the runs that were kept, and ratios to the yardstick.
type summary struct {
	Proxy                       string
	Rate, P50, P99, CPU, Memory spread
	MemberCPU, LoadCPU          spread
	Noise                       spread
	Logged                      spread
	CPURatio, MemoryRatio       spread
	Measured                    int // valid runs, those that were not kept included
}

func (r results) summarise(scenario, proxy string) summary {
	all := r.of(scenario, proxy)
	kept := quiet(all, func(rec record) float64 { return rec.Noise })
	over := func(get func(record) float64) spread {
		var values []float64
		for _, rec := range kept {
			values = append(values, get(rec))
		}
		return spreadOf(values)
	}
	return summary{
		Proxy:       proxy,
		Rate:        over(func(r record) float64 { return r.Rate }),
		P50:         over(func(r record) float64 { return r.P50 }),
		P99:         over(func(r record) float64 { return r.P99 }),
		CPU:         over(func(r record) float64 { return r.CPU }),
		Memory:      over(func(r record) float64 { return r.Memory }),
		MemberCPU:   over(func(r record) float64 { return r.MemberCPU }),
		LoadCPU:     over(func(r record) float64 { return r.LoadCPU }),
		Noise:       over(func(r record) float64 { return r.Noise }),
		Logged:      over(func(r record) float64 { return r.Logged }),
		CPURatio:    r.ratio(scenario, proxy, yardstick, figureCPU),
		MemoryRatio: r.ratio(scenario, proxy, yardstick, figureMemory),
		Measured:    len(all),
	}
}

// verdict is what became of a bar.
type verdict struct {
	bar
	Title string // of the scenario
	Ratio spread
}

// Judged is false when nothing was measured that the bar speaks of.
func (v verdict) Judged() bool { return v.Ratio.N > 0 }

// Met compares the figure as it is printed, with two digits: a third one would be noise.
func (v verdict) Met() bool { return v.Judged() && math.Round(v.Ratio.Median*100)/100 <= v.Limit }

func (r results) verdicts() []verdict {
	titles := map[string]string{}
	for _, s := range scenarios() {
		titles[s.Name] = s.Title
	}
	var all []verdict
	for _, b := range bars() {
		all = append(all, verdict{b, titles[b.Scenario], r.ratio(b.Scenario, subject, b.Rival, b.Figure)})
	}
	return all
}
