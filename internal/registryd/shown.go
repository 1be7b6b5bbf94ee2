package registryd

import "go.yaml.in/yaml/v4"

// shown is the configuration in force for people: with defaults and environment, and with secrets masked, which they do by themselves.
func (c *Config) shown() string {
	text, err := yaml.Marshal(c)
	if err != nil {
		return ""
	}
	return string(text)
}
