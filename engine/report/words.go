package report

import "github.com/adbsql/antdbctl/engine/diagnosis"

// words are the report's own words about a diagnosis, in one language. Those
// with verbs are formats.
type words struct {
	cause, evidence, explains, check, remedy, fix    string // labels
	warning, ruledOut, unseen, problem               string
	confidence                                       map[diagnosis.Confidence]string
	restsOn, line, times, places, more, verbose      string
	nothing, nothingAfter, sightless, blind          string
	causes, warnings, none, seen, unseenCount        string
	looking, gone, goneBlind, goneSaid, stays, joint string
	packed, hidden, nothingHidden, taken             string
}

var english = words{
	cause: "Cause", evidence: "Evidence", explains: "Explains", check: "Check", remedy: "Remedy", fix: "Fix",
	warning: "Warning", ruledOut: "Excluded", unseen: "Not seen", problem: "Unread",
	confidence: map[diagnosis.Confidence]string{diagnosis.Certain: "certain", diagnosis.Likely: "likely", diagnosis.Possible: "possible"},
	restsOn:    "rests on: %s", line: "line %d", times: "%d times", places: "%d places", more: "… and %d more", verbose: " (--verbose)",
	nothing: "No cause found: none of the known faults is there.", nothingAfter: "No known cause of the failure found.",
	sightless: "Nothing was seen, so nothing can be said.",
	blind:     "Some of the evidence is missing for: %s",
	causes:    "%d found: %s", warnings: "warnings: %d", none: "nothing found",
	seen: "looked at %d facts and %d logs (%s) in %s", unseenCount: "not seen: %d",
	looking: "Looking at %s, for %s at most …", gone: "is gone.", goneBlind: "is not seen any more, but less could be looked at than before.",
	goneSaid: "is fixed as far as can be seen. It was known from the last run alone: apply the runbook again to prove it.",
	stays:    "is still there.", joint: "; ",
	packed: "%s (%s): %d facts, %d logs (%s)", hidden: "Hidden", nothingHidden: "no secret was seen", taken: "as of %s",
}

var chinese = words{
	cause: "原因", evidence: "证据", explains: "连带现象", check: "核实", remedy: "处理", fix: "修复",
	warning: "隐患", ruledOut: "已排除", unseen: "未能查看", problem: "无法读取",
	confidence: map[diagnosis.Confidence]string{diagnosis.Certain: "确定", diagnosis.Likely: "很可能", diagnosis.Possible: "可能"},
	restsOn:    "依据：%s", line: "第 %d 行", times: "%d 次", places: "%d 处", more: "… 另有 %d 项", verbose: "（用 --verbose 查看）",
	nothing: "未发现原因：已知故障均不存在。", nothingAfter: "未找到此次失败的已知原因。",
	sightless: "什么都未能查看，无法得出结论。",
	blind:     "以下层面的证据不完整：%s",
	causes:    "发现 %d 个：%s", warnings: "隐患 %d 个", none: "未发现问题",
	seen: "共查看 %d 条事实、%d 份日志（%s），用时 %s", unseenCount: "未能查看 %d 项",
	looking: "正在查看 %s，最长 %s …", gone: "已消除。", goneBlind: "已看不到，但这次能查看的内容比之前少。",
	goneSaid: "已按方案修复。该结论仅来自上一次运行的记录，请重新执行 apply 加以证明。",
	stays:    "仍然存在。", joint: "；",
	packed: "%s（%s）：%d 条事实，%d 份日志（%s）", hidden: "已隐去", nothingHidden: "未见机密信息", taken: "采集于 %s",
}

// wordsOf gives the words of a language; English for those that there are none of.
func wordsOf(language string) words {
	if language == "zh" {
		return chinese
	}
	return english
}

// layerNames are the layers of a site in Chinese; English has the names as they are.
var layerNames = map[string]string{
	"machine": "主机", "network": "网络", "access": "访问权限", "build": "镜像构建", "transfer": "镜像分发", "image": "镜像内容",
	"cluster": "Kubernetes 集群", "schedule": "调度", "volume": "存储卷", "start": "容器启动", "initdb": "初始化",
	"postmaster": "数据库启动", "patroni": "Patroni", "replication": "复制", "service": "服务", "backup": "备份",
	"operator": "Operator", "client": "客户端",
}

func layerName(name, language string) string {
	if translated, ok := layerNames[name]; ok && language == "zh" {
		return translated
	}
	return name
}
