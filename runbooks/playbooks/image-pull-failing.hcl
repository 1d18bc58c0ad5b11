# Which node lacks which image.

playbook "image pull failing" {
  look "k8s.collect" "cluster" {
    on = target.site
  }

  look "host.collect" "nodes" {
    on = target.nodes
  }

  finding "an image is missing where a pod is to run" {
    when     = anytrue([for c in look.cluster.facts.k8s_container : contains(["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull"], c.reason)])
    cause    = "The kubelet of that node has not got it under this very name, and cannot fetch it."
    remedy   = "image.ship it to all nodes on which pods may start (k8s.nodes), or antdbctl diagnose --fix G-20."
    evidence = [for c in look.cluster.facts.k8s_container : "node ${c.place.node}, pod ${c.place.pod}, ${c.name}: ${c.image}: ${c.reason} (pull policy ${c.pull_policy})" if contains(["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull"], c.reason)]
  }

  finding "an image's name is none" {
    when     = anytrue([for c in look.cluster.facts.k8s_container : c.reason == "InvalidImageName"])
    cause    = "Capitals, blanks or a second colon: no runtime takes this name."
    remedy   = "Correct prefix, name and tag in the runbook."
    evidence = [for c in look.cluster.facts.k8s_container : "pod ${c.place.pod}: ${c.image}" if c.reason == "InvalidImageName"]
  }

  finding "only some machines have the image of a database" {
    when = anytrue(flatten([for c in look.cluster.facts.k8s_container : [
      length([for n in look.nodes : n if anytrue([for i in n.facts.node_image : endswith(i.ref, c.image)])]) < length(look.nodes)
    ] if c.name == "database"]))
    cause  = "A pod that starts on one of the others, as after the loss of a node, waits for its image."
    remedy = "image.ship it to all of them."
    evidence = flatten([for image in distinct([for c in look.cluster.facts.k8s_container : c.image if c.name == "database"]) : [
      for name, n in look.nodes : "${name} lacks ${image}" if !anytrue([for i in n.facts.node_image : endswith(i.ref, image)])
    ]])
  }
}
