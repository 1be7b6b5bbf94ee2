package httpapi

import "strings"

// CompatRoutes lists WSO2's calls as "METHOD URL".
func CompatRoutes() []string {
	var list []string
	for _, t := range tableOnly().routes {
		if strings.HasPrefix(t.url, compatPrefix) {
			list = append(list, t.method+" "+t.url)
		}
	}
	return list
}
