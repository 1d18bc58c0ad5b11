variable "plain" { default = "x" }
variable "plain" { default = "y" } # ERROR: Duplicate variable name
variable "1st" { default = "y" } # ERROR: Invalid name
variable "shape" {
  type    = object({ port = number, name = optional(string, "db") })
  default = { port = "http" } # ERROR: port: a number is required
}
variable "odd" {
  type = strin # ERROR: The keyword "strin" is not a valid type specification
  default = 1
}
variable "extra" {
  descripton = "x" # ERROR: Did you mean "description"?
  default = 1
}
variable "range" { # ERROR: Invalid value of variable "range": The port is 70000, above 65535. (from default)
  type    = number
  default = 70000
  validation {
    condition     = var.range < 65536
    error_message = "The port is ${var.range}, above 65535."
  }
}
variable "token" {
  default   = "hunter2"
  sensitive = true
  validation {
    condition     = length(var.token) > 0
    error_message = "No."
  }
}
variable "leak" {
  default   = "hunter2"
  sensitive = true
  validation {
    condition     = length(var.leak) > 20
    error_message = "Bad: ${var.leak}" # ERROR: Secret in a plain string
  }
}
step "host.file" "a" {
  path    = var.plian # ERROR: Unknown variable "plian": The runbook has no variable of this name. Did you mean "plain"?
  content = var.token # ERROR: Secret in a plain string
}
