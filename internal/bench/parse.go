package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	wrkTotal     = regexp.MustCompile(`(\d+) requests in ([0-9.]+(?:us|ms|s|m|h)), ([0-9.]+)([KMGT]?)B read`)
	wrkPercent   = regexp.MustCompile(`(?m)^\s+(50|99)%\s+([0-9.]+(?:us|ms|s|m|h)) *$`)
	wrkSocket    = regexp.MustCompile(`Socket errors: .*`)
	wrkStatus    = regexp.MustCompile(`Non-2xx or 3xx responses: \d+`)
	h2Finished   = regexp.MustCompile(`finished in ([0-9.]+(?:us|ms|s|m|h)),`)
	h2Requests   = regexp.MustCompile(`requests: (\d+) total, (\d+) started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout`)
	h2Statuses   = regexp.MustCompile(`status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx`)
	h2Cipher     = regexp.MustCompile(`(?m)^Cipher: (\S+)$`)
	h2Protocol   = regexp.MustCompile(`(?m)^Application protocol: (\S+)$`)
	errNoSummary = errors.New("no summary in the output")
)

// parseWrk reads what wrk -t1 --latency prints. answer is the length of the body that each answer must have.
func parseWrk(text string, answer int) (loadResult, error) {
	total := wrkTotal.FindStringSubmatch(text)
	percents := wrkPercent.FindAllStringSubmatch(text, -1)
	if total == nil || len(percents) != 2 || percents[0][1] != "50" {
		return loadResult{}, errNoSummary
	}
	requests, err1 := strconv.ParseInt(total[1], 10, 64)
	took, err2 := time.ParseDuration(total[2])
	read, err3 := strconv.ParseFloat(total[3], 64)
	p50, err4 := time.ParseDuration(percents[0][2])
	p99, err5 := time.ParseDuration(percents[1][2])
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return loadResult{}, err
	}
	for _, unit := range "KMGT" {
		if total[4] == "" {
			break
		}
		read *= 1024
		if total[4] == string(unit) {
			break
		}
	}
	r := loadResult{requests: requests, seconds: took.Seconds(), p50: p50, p99: p99}
	switch {
	case wrkStatus.MatchString(text):
		r.fault = wrkStatus.FindString(text)
	case wrkSocket.MatchString(text):
		r.fault = wrkSocket.FindString(text)
	case read*1.01 < float64(requests)*float64(answer): // wrk rounds
		r.fault = fmt.Sprintf("%.0f bytes read are too few for %d answers", read, requests)
	}
	return r, nil
}

// parseH2load reads what h2load prints. Its latencies are a minimum, a maximum and a mean; parseH2loadLog has better ones.
func parseH2load(text string) (loadResult, error) {
	finished, requests, statuses := h2Finished.FindStringSubmatch(text), h2Requests.FindStringSubmatch(text), h2Statuses.FindStringSubmatch(text)
	if finished == nil || requests == nil || statuses == nil {
		return loadResult{}, errNoSummary
	}
	took, err := time.ParseDuration(finished[1])
	if err != nil {
		return loadResult{}, err
	}
	n := func(i int) int64 { v, _ := strconv.ParseInt(requests[i], 10, 64); return v } // digits
	r := loadResult{requests: n(4), seconds: took.Seconds()}
	protocol := h2Protocol.FindStringSubmatch(text)
	switch {
	case n(5)+n(6)+n(7) > 0:
		r.fault = requests[0]
	case strings.Trim(statuses[2]+statuses[3]+statuses[4], "0") != "": // those of 2xx may be more than are done when the time is over
		r.fault = statuses[0]
	case protocol == nil || protocol[1] != "h2":
		r.fault = "h2load did not speak HTTP/2"
	}
	return r, nil
}

// parseH2loadLog gives the 50th and 99th percentile of the lines that h2load writes: start, status and microseconds of each request.
func parseH2loadLog(log io.Reader) (p50, p99 time.Duration, err error) {
	var took []float64
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), "\t")
		if len(fields) < 3 {
			return 0, 0, fmt.Errorf("line %q of the log is too short", lines.Text())
		}
		us, err := strconv.ParseFloat(fields[2], 64)
		if err != nil {
			return 0, 0, err
		}
		took = append(took, us)
	}
	return micros(percentile(took, 50)), micros(percentile(took, 99)), lines.Err()
}

func parseHandshake(text []byte) (loadResult, error) {
	var report handshakeReport
	if err := json.Unmarshal(text, &report); err != nil {
		return loadResult{}, err
	}
	r := loadResult{requests: report.Requests, seconds: report.Seconds, p50: micros(report.P50Micros), p99: micros(report.P99Micros)}
	if report.Errors > 0 {
		r.fault = fmt.Sprintf("%d errors, the first: %s", report.Errors, report.FirstSaid)
	}
	return r, nil
}
