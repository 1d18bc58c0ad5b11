step "sql.grant" "analyst" {
  on          = step.cluster.primary
  role        = "reporting"
  database    = "orders"
  schema      = "sales"
  on_database = ["connect"]
  on_schema   = ["usage"]
  on_tables   = ["select"]
  future      = ["orders_owner"] # what it makes later can be read, too
}

step "sql.grant" "everybody" {
  on          = step.cluster.primary
  role        = "public"
  database    = "orders"
  on_database = ["connect"]
  on_schema   = ["usage"] # of the schema public: no longer create
  exact       = true
}
