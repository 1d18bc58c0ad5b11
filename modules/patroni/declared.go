package patroni

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/adbsql/antdbctl/engine/module"
)

// declared is what the runbook wants, as the dynamic configuration would hold
// it. A nil value wants the key gone.
type declared struct {
	parameters map[string]any
	settings   map[string]any
}

func declare(parameters, settings map[string]cty.Value) (declared, error) {
	var d declared
	var err error
	if d.parameters, err = plain(parameters); err != nil {
		return d, module.At("parameters", err)
	}
	for name, v := range d.parameters {
		switch v.(type) {
		case map[string]any, []any:
			return d, module.At("parameters", fmt.Errorf("%s takes one value, not several", name))
		}
	}
	if d.settings, err = plain(settings); err != nil {
		return d, module.At("settings", err)
	}
	return d, nil
}

// plain makes values of the runbook what JSON makes of them.
func plain(values map[string]cty.Value) (map[string]any, error) {
	out := map[string]any{}
	for name, v := range values {
		if v.IsNull() {
			out[name] = nil
			continue
		}
		text, err := ctyjson.Marshal(v, v.Type())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		var value any
		if err := json.Unmarshal(text, &value); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[name] = value
	}
	return out, nil
}

// ownedByPatroni are parameters that Patroni sets itself, whatever the
// configuration says.
var ownedByPatroni = []string{"listen_addresses", "port", "cluster_name", "hot_standby", "wal_log_hints", "data_directory",
	"config_file", "hba_file", "ident_file", "primary_conninfo", "primary_slot_name", "standby_mode", "trigger_file", "promote_trigger_file",
	"restore_command", "archive_cleanup_command", "recovery_end_command", "recovery_min_apply_delay", "recovery_target",
	"recovery_target_name", "recovery_target_time", "recovery_target_xid", "recovery_target_lsn", "recovery_target_inclusive",
	"recovery_target_timeline", "recovery_target_action"}

// knownSettings are the keys of the dynamic configuration. Patroni drops any
// other without a word.
var knownSettings = []string{"ttl", "loop_wait", "retry_timeout", "maximum_lag_on_failover", "maximum_lag_on_syncnode", "max_timelines_history",
	"master_start_timeout", "primary_start_timeout", "master_stop_timeout", "primary_stop_timeout", "synchronous_mode", "synchronous_mode_strict",
	"synchronous_node_count", "failsafe_mode", "check_timeline", "standby_cluster", "slots", "ignore_slots", "member_slots_ttl", "pause", "postgresql"}

func (d declared) validate() error {
	if len(d.parameters)+len(d.settings) == 0 {
		return errors.New("nothing is declared: give parameters, or settings")
	}
	for _, name := range slices.Sorted(maps.Keys(d.parameters)) {
		if slices.Contains(ownedByPatroni, strings.ToLower(name)) {
			return module.At("parameters", fmt.Errorf("%s is set by Patroni itself, and a value in its configuration is ignored", name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.settings)) {
		if !slices.Contains(knownSettings, name) {
			return module.At("settings", module.Explain(fmt.Errorf("Patroni knows no setting %q", name),
				"parameters of the database belong into parameters; Patroni's settings are "+strings.Join(knownSettings, ", ")))
		}
	}
	if nested, ok := d.settings["postgresql"].(map[string]any); ok && nested["parameters"] != nil {
		return module.At("settings", errors.New("parameters of the database belong into the argument parameters"))
	}
	return nil
}

// timing holds the timing that config would have to Patroni's rule: a leader must
// be able to try twice before its lock runs out.
func timing(config map[string]any) error {
	number := func(key string, usual float64) float64 {
		if n, ok := config[key].(float64); ok {
			return n
		}
		return usual
	}
	ttl, loop, retry := number("ttl", 30), number("loop_wait", 10), number("retry_timeout", 10)
	if ttl < loop+2*retry {
		return module.At("settings", module.Explain(
			fmt.Errorf("ttl %v is shorter than loop_wait + 2 × retry_timeout (%v + 2 × %v): a leader would lose its lock to one slow answer of the store", ttl, loop, retry),
			"make ttl longer, or loop_wait and retry_timeout shorter"))
	}
	return nil
}

// text is a value as the database would be told it.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case bool:
		if v {
			return "on"
		}
		return "off"
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case string:
		return v
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(raw)
}

// merge is config with change merged in, as Patroni merges a PATCH.
func merge(config, change map[string]any) map[string]any {
	out := maps.Clone(config)
	if out == nil {
		out = map[string]any{}
	}
	for key, v := range change {
		inner, isMap := v.(map[string]any)
		have, hasMap := out[key].(map[string]any)
		switch {
		case v == nil:
			delete(out, key)
		case isMap && hasMap:
			out[key] = merge(have, inner)
		default:
			out[key] = v
		}
	}
	return out
}
