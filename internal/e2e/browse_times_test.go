package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/e2e"
)

const (
	bigRoot = "/_system/governance/big"
	bigWide = bigRoot + "/wide" // resources in one collection, a tenth as many as the tree has
	bigTree = bigRoot + "/tree" // resources in collections of a hundred
)

// browseLimit is what 95 of 100 requests for a page should stay within.
const browseLimit = 150 * time.Millisecond

// TestBrowse_TimesInABigStore measures the pages of the console through the load balancer, to their last byte, in a store with a tree of
// REGENT_BROWSE_TIMES resources and one collection of a tenth as many, when nothing else goes on (`make browse-times`). It judges no time. Without that variable it
// only sees that each page answers in a store of 10,000.
func TestBrowse_TimesInABigStore(t *testing.T) {
	slow(t)
	n, times := 10_000, 2
	if text := os.Getenv("REGENT_BROWSE_TIMES"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 10_000 {
			t.Fatalf("REGENT_BROWSE_TIMES is %q; it must be a number of resources, 10000 or more", text)
		}
		times = 60
	}
	e2e.OnEachDatabase(t, func(t *testing.T, db e2e.Database) {
		c := e2e.StartCluster(t, e2e.Options{Database: db})
		began := time.Now()
		fillWide(t, c, n/10)
		fillTree(t, c, n)
		filled := time.Since(began).Round(time.Second)
		awaitIndexed(t, c, n)
		t.Logf("%s: %d resources in one collection, %d in a tree; filled in %s, indexed in %s more", db.Name, n/10, n, filled, (time.Since(began) - filled).Round(time.Second))
		v := c.Visitor(true)
		v.SignIn("admin", e2e.AdminPassword)
		for _, address := range bigPages(t, v) {
			measurePage(t, v, address, times)
		}
	})
}

// bigPages are the pages that are measured.
func bigPages(t *testing.T, v *e2e.Visitor) []string {
	t.Helper()
	leaf := bigTree + "/g000/c000"
	pages := []string{"/console/", "/console/browse" + bigWide, nextOf(t, v.Get("/console/browse"+bigWide))}
	for _, path := range []string{bigRoot, bigTree, bigTree + "/g000", leaf} {
		pages = append(pages, "/console/browse"+path)
	}
	for _, what := range []string{"tree", "pick", "details", "properties", "versions", "permissions", "associations", "community", "activity", "checkpoints", "retention", "trash", "dependencies", "impact", "delete", "move"} {
		pages = append(pages, "/console/"+what+bigTree)
	}
	for _, what := range []string{"resource", "details", "versions", "permissions", "impact", "edit", "delete", "move"} {
		pages = append(pages, "/console/"+what+leaf+"/r00.txt")
	}
	return append(pages, "/console/search?q=name:r00.txt", "/console/search?q=path:"+leaf, "/console/suggest?q=r00", "/console/starred", "/console/tags", "/console/activity/", "/console/cluster")
}

// nextOf is the address of the page after a page of a list.
func nextOf(t *testing.T, p e2e.Page) string {
	t.Helper()
	for tag := range strings.SplitSeq(string(p.Body), "<a ") {
		if tag, _, _ := strings.Cut(tag, ">"); strings.Contains(tag, `rel="next"`) {
			_, address, _ := strings.Cut(tag, `href="`)
			address, _, _ = strings.Cut(address, `"`)
			return strings.ReplaceAll(address, "&amp;", "&")
		}
	}
	t.Fatalf("%s has no next page, status %d", p.Path, p.Status)
	return ""
}

// measurePage asks for a page again and again; any node may answer.
func measurePage(t *testing.T, v *e2e.Visitor, address string, times int) {
	t.Helper()
	warm := times / 10
	var took []time.Duration
	for i := range warm + times {
		began := time.Now()
		p := v.Get(address)
		if p.Status != 200 {
			t.Errorf("%s: status %d: %s", address, p.Status, alertOf(p))
			return
		}
		if i >= warm {
			took = append(took, time.Since(began))
		}
	}
	slices.Sort(took)
	median, late := took[times/2], took[times*95/100]
	said := "within"
	if late > browseLimit {
		said = "BEYOND"
	}
	t.Logf("p50 %6.1f ms  p95 %6.1f ms  most %6.1f ms  %s %s  %s", ms(median), ms(late), ms(took[times-1]), said, browseLimit, address)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// fillWide puts n resources into one collection.
func fillWide(t *testing.T, c *e2e.Cluster, n int) {
	t.Helper()
	type step struct {
		Do      string `json:"do"`
		Path    string `json:"path"`
		Content string `json:"content"`
	}
	for from := 0; from < n; from += 100 {
		var batch struct {
			Steps []step `json:"steps"`
		}
		for i := from; i < min(from+100, n); i++ {
			batch.Steps = append(batch.Steps, step{"put", fmt.Sprintf("%s/r%06d.txt", bigWide, i), fmt.Sprintf("number %d\n", i)})
		}
		body, err := json.Marshal(batch)
		if err != nil {
			t.Fatal(err)
		}
		sendBig(t, c, "/api/v1/batch", body)
	}
}

// fillTree makes collections of a hundred resources, a hundred of them in each of n/10000 others: the first by hand, the others as copies of it.
func fillTree(t *testing.T, c *e2e.Cluster, n int) {
	t.Helper()
	for i := range 100 {
		put(t, c, fmt.Sprintf("%s/g000/c000/r%02d.txt", bigTree, i), fmt.Sprintf("leaf %d\n", i))
	}
	copyTo := func(from, to string) {
		sendBig(t, c, "/api/v1/copy"+from, fmt.Appendf(nil, `{"to":%q}`, to))
	}
	for i := 1; i < 100; i++ {
		copyTo(bigTree+"/g000/c000", fmt.Sprintf("%s/g000/c%03d", bigTree, i))
	}
	for i := 1; i < n/10_000; i++ {
		copyTo(bigTree+"/g000", fmt.Sprintf("%s/g%03d", bigTree, i))
	}
}

func sendBig(t *testing.T, c *e2e.Cluster, address string, body []byte) {
	t.Helper()
	a, err := c.ThroughELB().Do(t.Context(), "POST", address, body, "Content-Type", "application/json")
	if err != nil || a.Status/100 != 2 {
		t.Fatalf("%s: %v, status %d: %.300s", address, err, a.Status, a.Body)
	}
}

// awaitIndexed waits until the nodes have taken all of it into the search index, but for as much as they leave for later.
func awaitIndexed(t *testing.T, c *e2e.Cluster, n int) {
	t.Helper()
	const later = 20_000
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for range 3600 {
		var done float64
		for _, node := range c.Nodes {
			done += e2e.SumMetric(t, e2e.Scrape(t, node.AdminPort), "registry_search_indexed_total")
		}
		if int(done) >= n+n/10-later {
			return
		}
		<-ticker.C
	}
	t.Fatal("the index is not complete after an hour")
}
