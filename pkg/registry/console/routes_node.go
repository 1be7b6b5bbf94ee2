package console

// nodeRoutes are what one node tells of itself, what it can be told to do, and what it tells pages while they are read.
func (c *console) nodeRoutes(page func(pattern string, do action)) {
	page("GET /console/logs", c.logs)
	page("GET /console/logs-text", c.logsText)
	page("POST /console/log-level", c.setLogLevel)
	page("GET /console/metrics", c.metrics)
	page("POST /console/drain", c.drain)
	page("GET /console/jobs", c.jobs)
	page("POST /console/run-job", c.runJob)
	page("GET /console/events/{path...}", c.events)
}
