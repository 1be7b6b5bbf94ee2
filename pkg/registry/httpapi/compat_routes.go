package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// allRoutes is the whole URL map.
func (h *handler) allRoutes() []route {
	return slices.Concat(h.table(), h.webhookRoutes(), h.compatTable())
}

// compatTable is the URL map of WSO2's calls.
func (h *handler) compatTable() []route {
	state := []string{"path", "version", "label", "at"}
	return []route{
		{"GET", artifactURL + "/{path}", h.getArtifact, []string{"version", "label", "at"}},
		{"PUT", artifactURL + "/{path}", h.putArtifact, nil},
		{"DELETE", artifactURL + "/{path}", h.deleteArtifact, nil},

		{"GET", compatPrefix + "metadata", h.wso2Metadata, state},
		{"GET", compatPrefix + "properties", h.wso2Properties, append([]string{"start", "size"}, state...)},
		{"POST", compatPrefix + "properties", h.wso2PostProperties, []string{"path"}},
		{"GET", compatPrefix + "property", h.wso2Property, append([]string{"name"}, state...)},
		{"POST", compatPrefix + "property", h.wso2PostProperty, []string{"path", "name", "value"}},
		{"DELETE", compatPrefix + "property", h.wso2DeleteProperty, []string{"path", "name"}},

		{"GET", compatPrefix + "comments", h.wso2Comments, []string{"path", "start", "size"}},
		{"GET", compatPrefix + "comment", h.wso2Comment, []string{"path", "id"}},
		{"POST", compatPrefix + "comment", h.wso2PostComment, []string{"path"}},
		{"PUT", compatPrefix + "comment", h.wso2PutComment, []string{"path", "id"}},
		{"DELETE", compatPrefix + "comment", h.wso2DeleteComment, []string{"path", "id"}},

		{"GET", compatPrefix + "tags", h.wso2Tags, []string{"path", "start", "size"}},
		{"POST", compatPrefix + "tags", h.wso2PostTags, []string{"path"}},
		{"GET", compatPrefix + "tag", h.wso2Tagged, []string{"name", "start", "size"}},
		{"POST", compatPrefix + "tag", h.wso2PostTag, []string{"path", "name"}},
		{"DELETE", compatPrefix + "tag", h.wso2DeleteTag, []string{"path", "name"}},
		{"GET", compatPrefix + "rating", h.wso2Rating, []string{"path"}},
		{"DELETE", compatPrefix + "rating", h.wso2DeleteRating, []string{"path"}},
		{"POST", compatPrefix + "rate", h.wso2Rate, []string{"path", "value"}},

		{"GET", compatPrefix + "associations", h.wso2Associations, []string{"path", "type", "start", "size"}},
		{"POST", compatPrefix + "associations", h.wso2PostAssociations, []string{"path"}},
		{"POST", compatPrefix + "association", h.wso2PostAssociation, []string{"path", "targetPath", "type"}},
		{"DELETE", compatPrefix + "association", h.wso2DeleteAssociation, []string{"path", "targetPath", "type"}},

		{"GET", compatPrefix + "revisions", h.wso2Revisions, []string{"path", "start", "size"}},
		{"GET", compatPrefix + "revision", h.wso2Revision, []string{"path", "id"}},
		{"POST", compatPrefix + "revision", h.wso2PostRevision, []string{"path"}},
		{"DELETE", compatPrefix + "revision", h.wso2DeleteRevision, []string{"path", "id"}},

		{"POST", compatPrefix + "copy", h.wso2Copy, []string{"path", "destination"}},
		{"POST", compatPrefix + "move", h.wso2Move, []string{"path", "destination"}},
		{"GET", compatPrefix + "swagger", h.wso2Swagger, nil},
	}
}

// wso2Swagger gives the part of the API's description that is about these calls.
func (h *handler) wso2Swagger(w http.ResponseWriter, c *call) error {
	var doc map[string]any
	if err := json.Unmarshal(h.document, &doc); err != nil {
		return fmt.Errorf("read the API's description: %w", err)
	}
	if paths, ok := doc["paths"].(map[string]any); ok {
		for url := range paths {
			if !strings.HasPrefix(url, compatPrefix) {
				delete(paths, url)
			}
		}
	}
	return writeCompact(w, c, doc)
}
