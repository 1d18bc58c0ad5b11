# A cluster was asked for, and does not come. The layers build on each other: the
# first that is not in order is where to go on.

playbook "rollout failed" {
  look "pgo.collect" "operator" {
    on = target.site
  }

  look "k8s.collect" "cluster" {
    on = target.site
  }

  finding "the operator does not run" {
    when     = anytrue([for o in look.operator.facts.pgo_operator : !o.ready])
    cause    = "Requests are noted and nobody works on them."
    remedy   = "Look at the operator's pod first: kubectl -n pgo describe pod, kubectl -n pgo logs. Nothing else moves before it runs."
    evidence = [for o in look.operator.facts.pgo_operator : "operator ${o.name}: image ${o.image}, ${o.restarts} restarts" if !o.ready]
  }

  finding "pods wait for a place" {
    when     = anytrue([for p in look.cluster.facts.k8s_pod : p.place.cluster != "" && p.phase == "Pending" && !p.scheduled && p.age > 15])
    cause    = "The scheduler finds no node for them: too little room, taints, node selectors, or a volume elsewhere."
    remedy   = "The scheduler's counts below say which; give the biggest one way."
    evidence = [for p in look.cluster.facts.k8s_pod : "${p.name}: ${p.scheduling}" if p.place.cluster != "" && p.phase == "Pending" && !p.scheduled]
  }

  finding "claims wait for volumes" {
    when     = anytrue([for c in look.cluster.facts.k8s_claim : c.phase == "Pending" && c.used && c.age > 15])
    cause    = "No volume fits the claim, or nothing provides volumes of its class."
    remedy   = "Make a volume of that class and size (one for each member, one for the backups), or name a class that is there."
    evidence = [for c in look.cluster.facts.k8s_claim : "${c.name}: class ${c.class == "" ? "(default)" : c.class}, ${floor(c.request / 1048576)} MiB, ${join(", ", c.modes)}" if c.phase == "Pending" && c.used]
  }

  finding "containers do not start" {
    when   = anytrue([for c in look.cluster.facts.k8s_container : c.place.cluster != "" && c.state == "waiting" && !contains(["ContainerCreating", "PodInitializing"], c.reason)])
    cause  = "What the kubelet says is below: the image, its command, or a Secret that is missing."
    remedy = "For ErrImagePull see the playbook \"image pull failing\". For CrashLoopBackOff read the log of the run before: kubectl logs POD -c CONTAINER --previous."
    evidence = [for c in look.cluster.facts.k8s_container : "pod ${c.place.pod}, container ${c.name}: ${c.reason}, ${c.restarts} restarts${c.last_exit >= 0 ? ", the last run ended with ${c.last_exit}" : ""}"
    if c.place.cluster != "" && c.state == "waiting"]
  }

  finding "a job of the cluster failed" {
    when     = anytrue([for j in look.cluster.facts.k8s_job : j.place.cluster != "" && j.over == "Failed"])
    cause    = "Replicas and the word \"initialized\" wait for the stanza and the first backup: without them the rollout is never complete."
    remedy   = "Read the job's log; when its reason is gone, have the job made again (antdbctl diagnose --fix G-88 where it is offered)."
    evidence = [for j in look.cluster.facts.k8s_job : "job ${j.name} (${j.purpose}): ${j.reason} ${j.message}" if j.place.cluster != "" && j.over == "Failed"]
  }

  finding "a request is on record, and no cluster" {
    when     = anytrue([for t in look.operator.facts.pgo_task : !t.cluster_exists && t.age > 60])
    cause    = "A task of an earlier cluster of that name was left; a new cluster of the name is refused for it, with the word ok."
    remedy   = "Delete the task (antdbctl diagnose --fix G-96), then apply again."
    evidence = [for t in look.operator.facts.pgo_task : "pgtask ${t.name}, ${floor(t.age / 3600)} h old" if !t.cluster_exists]
  }
}
