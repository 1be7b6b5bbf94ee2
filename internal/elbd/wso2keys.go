package elbd

import (
	"maps"
	"slices"
	"strconv"

	"github.com/regent-registry/regent/internal/elbd/wso2conf"
)

// wso2Key is what a key of loadbalancer.conf takes, and what becomes of it.
type wso2Key struct {
	kind  wso2Kind
	least int    // of a number
	fate  string // why it has no equivalent; "" when it has one
}

type wso2Kind int

const (
	wso2Text wso2Kind = iota
	wso2Number
	wso2Rate // above 0, at most 1
	wso2Flag
)

// What becomes of keys that have no equivalent.
const (
	noScaling = "not supported yet: elb neither starts nor stops members"
	isOff     = "not needed: enable_autoscaler is not true, and elb neither starts nor stops members"
	noSuffix  = "not supported yet: there are no custom domains"
	byCookie  = "not needed: a session stays at its member for as long as the application's cookie lasts"
	anyELBs   = "not needed: as many ELBs serve as are started"
	alwaysOn  = "not needed: a failed request goes to another member wherever that does no harm"
	byGossip  = "not needed: members are found by gossip"
	byTurns   = "not needed: WSO2 ELB went round robin whatever stood here; so does elb, unless a domain has a balancer"
	obsolete1 = "obsolete: a launch setting of ELB 1.x; elb starts no machines"
	obsolete2 = "obsolete: gone since ELB 2.0.5; elb neither starts nor stops members"
)

// loadBalancerKeys are the keys of the block loadbalancer.
func loadBalancerKeys() map[string]wso2Key {
	keys := map[string]wso2Key{
		"instances":                {kind: wso2Number, least: 0, fate: anyELBs},
		"enable_autoscaler":        {kind: wso2Flag, fate: noScaling},
		"autoscaler_task":          {fate: noScaling},
		"use_embedded_autoscaler":  {kind: wso2Flag, fate: noScaling},
		"autoscaler_service_epr":   {fate: noScaling},
		"autoscaler_task_interval": {kind: wso2Number, least: 1, fate: noScaling},
		"server_startup_delay":     {kind: wso2Number, least: 0, fate: noScaling},
		"session_timeout":          {kind: wso2Number, least: -1, fate: byCookie},
		"fail_over":                {kind: wso2Flag, fate: alwaysOn},
		"size_of_cache":            {kind: wso2Number, least: 0, fate: noSuffix},
		"algorithm":                {fate: byTurns},
		"group_mgt_agent":          {fate: byGossip},
		"mb_server_url":            {fate: byGossip},
	}
	maps.Copy(keys, launchKeys())
	return keys
}

// domainKeys are the keys of defaults, a service, a domain or a block of a domain.
func domainKeys() map[string]wso2Key {
	keys := map[string]wso2Key{
		"hosts":                   {},
		"tenant_range":            {},
		"sub_domain":              {},
		"group_mgt_port":          {kind: wso2Number, least: 1},
		"url_suffix":              {fate: noSuffix},
		"min_app_instances":       {kind: wso2Number, least: 0, fate: noScaling},
		"max_app_instances":       {kind: wso2Number, least: 1, fate: noScaling},
		"max_requests_per_second": {kind: wso2Number, least: 1, fate: noScaling},
		"alarming_upper_rate":     {kind: wso2Rate, fate: noScaling},
		"alarming_lower_rate":     {kind: wso2Rate, fate: noScaling},
		"scale_down_factor":       {kind: wso2Rate, fate: noScaling},
		"instances_per_scale_up":  {kind: wso2Number, least: 1, fate: noScaling},
		"rounds_to_average":       {kind: wso2Number, least: 1, fate: noScaling},
		"message_expiry_time":     {kind: wso2Number, least: 1, fate: noScaling},
		"queue_length_per_node":   {kind: wso2Number, least: 0, fate: obsolete2},
	}
	maps.Copy(keys, launchKeys())
	return keys
}

// launchKeys are the settings for machines that ELB 1.x launched.
func launchKeys() map[string]wso2Key {
	return map[string]wso2Key{
		"elasticIP":         {fate: obsolete1},
		"availability_zone": {fate: obsolete1},
		"security_groups":   {fate: obsolete1},
		"instance_type":     {fate: obsolete1},
		"payload":           {fate: obsolete1},
	}
}

// checkKeys refuses unknown keys and impossible values of a block, and warns of those that have no equivalent.
func (r *wso2Reader) checkKeys(b *wso2conf.Block, key string, known map[string]wso2Key) {
	for _, p := range b.Properties {
		k, ok := known[p.Key]
		if !ok {
			r.doc.RefuseUnknown(key, p.Key, p.Line, slices.Collect(maps.Keys(known)))
			continue
		}
		at := key + "." + p.Key
		r.doc.Set(at, p.Line)
		if k.fate == noScaling && !r.scales {
			k.fate = isOff
		}
		if !r.checkValue(at, p, k) {
			r.doc.Doubt(at)
		} else if k.fate != "" {
			r.doc.Warn(at, p.Line, "%s", k.fate)
		}
	}
}

// checkValue refuses a value that its key cannot have.
func (r *wso2Reader) checkValue(at string, p wso2conf.Property, k wso2Key) bool {
	switch k.kind {
	case wso2Number:
		value := r.value(at, p)
		n, err := strconv.Atoi(value)
		if err != nil {
			r.doc.Refuse(at, p.Line, "%q is not a whole number", value)
			return false
		}
		if n < k.least {
			r.doc.Refuse(at, p.Line, "is %d; it must be at least %d", n, k.least)
			return false
		}
	case wso2Rate:
		value := r.value(at, p)
		f, err := strconv.ParseFloat(value, 64)
		if err != nil {
			r.doc.Refuse(at, p.Line, "%q is not a number", value)
			return false
		}
		if !(f > 0 && f <= 1) {
			r.doc.Warn(at, p.Line, "is %s; WSO2 ELB ignored what is not above 0 and at most 1", value)
		}
	case wso2Flag:
		if v := r.value(at, p); v != "true" && v != "false" {
			r.doc.Warn(at, p.Line, "%q counts as false; only true is true", v)
		}
	case wso2Text:
	}
	return true
}
