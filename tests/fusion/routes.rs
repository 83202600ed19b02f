//! Carries out each call and builds its response. A call that violates the API reference is rejected and recorded.

use super::record::RecordedRequest;
use super::request_token::parse_object;
use super::server::ServerState;
use super::tenants::{Account, Key};
use super::{PERSON, REFRESH, TOKEN, authentication};
use serde_json::{Map, Value, json};

/// Maximum number of accounts in one response. The API reference has no paging.
const MAX_CUSTOMERS: usize = 1000;

/// A complete HTTP response.
pub(super) struct ApiResponse {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl ApiResponse {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Self { status, headers, body: body.to_string().into_bytes() }
    }

    pub(super) fn error(status: u16, message: &str) -> Self {
        Self { body: error_body(status, message), ..Self::json(status, &Value::Null) }
    }

    fn with_data(status: u16, data: &Value) -> Self {
        let count = data.as_array().map_or(1, Vec::len);
        Self::json(status, &json!({"meta": {"code": status, "count": count}, "data": data}))
    }
}

/// Renders the body of an API error.
pub(super) fn error_body(status: u16, message: &str) -> Vec<u8> {
    let name = match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        429 => "Too Many Requests",
        500.. => "Server Error",
        _ => "Error",
    };
    json!({"status": status, "name": name, "message": message}).to_string().into_bytes()
}

/// Carries out a call and returns the response.
pub(super) fn handle(state: &mut ServerState, request: &RecordedRequest) -> ApiResponse {
    match request.path.as_str() {
        TOKEN | REFRESH | PERSON => authentication::handle(state, request),
        path if path.starts_with("/api/v1/") => handle_authenticated(state, request),
        _ => ApiResponse::error(404, "no such call"),
    }
}

/// Records a violation of the API reference and returns an error response.
pub(super) fn reject_violation(
    state: &mut ServerState,
    request: &RecordedRequest,
    status: u16,
    violation: &str,
) -> ApiResponse {
    state.record.record_violation(request, violation);
    ApiResponse::error(status, violation)
}

fn handle_authenticated(state: &mut ServerState, request: &RecordedRequest) -> ApiResponse {
    let now = state.now();
    let Some(subject) = request.access_token().and_then(|token| state.tenants.access_token_owner(token, now)).cloned()
    else {
        return ApiResponse::error(401, "Access token is missing or invalid");
    };
    let shortname = subject.shortname();
    let parts: Vec<&str> = request.path.trim_start_matches("/api/v1/").split('/').collect();
    match (request.method.as_str(), &parts[..]) {
        ("GET", ["customers"]) => list_customers(state, shortname),
        ("GET", ["customer", requested]) => get_customer(state, shortname, requested),
        ("GET", ["api-keys"]) => ApiResponse::with_data(200, &keys(state, shortname)),
        ("POST", ["api-keys"]) => create_key(state, request, shortname),
        ("GET", ["api-keys", appname]) => match state.key(shortname, appname) {
            Some(key) => ApiResponse::with_data(200, &key_record(appname, key)),
            None => ApiResponse::error(404, "no such API key"),
        },
        ("PUT", ["api-keys", appname, "regen"]) => regenerate_key(state, request, shortname, appname),
        ("DELETE", ["api-keys", appname]) => remove_key(state, shortname, appname),
        (_, ["api-keys", ..]) => ApiResponse::error(405, "not a call of API keys"),
        _ => echo(request, shortname),
    }
}

/// Responds to any other call with a description of the request.
fn echo(request: &RecordedRequest, shortname: &str) -> ApiResponse {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
    let data = json!({
        "shortname": shortname, "method": request.method, "path": request.path, "query": request.query, "body": body,
    });
    ApiResponse::with_data(200, &data)
}

fn list_customers(state: &ServerState, shortname: &str) -> ApiResponse {
    let accounts = state.tenants.by_shortname.get(shortname).map_or(&[][..], |tenant| &tenant.accounts[..]);
    let rows: Vec<Value> = accounts.iter().take(MAX_CUSTOMERS).map(account_record).collect();
    ApiResponse::with_data(200, &Value::Array(rows))
}

/// Returns one account: the reseller's own account, or an account below the reseller.
fn get_customer(state: &ServerState, shortname: &str, requested: &str) -> ApiResponse {
    let accounts = state.tenants.by_shortname.get(shortname).map_or(&[][..], |tenant| &tenant.accounts[..]);
    let count_children = || u64::try_from(accounts.iter().filter(|account| account.parent == shortname).count());
    let own_account = || {
        let children = count_children().expect("a count");
        Account { shortname: shortname.to_owned(), parent: "netography".to_owned(), children, trial: false }
    };
    let found = accounts.iter().find(|account| account.shortname == requested).cloned();
    match found.or_else(|| (requested == shortname).then(own_account)) {
        Some(account) => ApiResponse::with_data(200, &account_record(&account)),
        None => ApiResponse::error(404, "no such account"),
    }
}

fn account_record(account: &Account) -> Value {
    json!({
        "id": format!("id-{}", account.shortname),
        "shortname": account.shortname,
        "organization": account.shortname,
        "reseller": {
            "parent": account.parent,
            "node": format!("{}.{}", account.parent, account.shortname),
            "children": account.children,
            "is_parent": account.children > 0,
        },
        "billing": {"data_retention": 90, "rollup_retention": 365, "trial": account.trial},
    })
}

fn keys(state: &ServerState, shortname: &str) -> Value {
    let keys = state.tenants.by_shortname.get(shortname).map(|tenant| &tenant.keys);
    keys.into_iter().flatten().map(|(appname, key)| key_record(appname, key)).collect()
}

fn key_record(appname: &str, key: &Key) -> Value {
    let mut record = json!({"appname": appname, "description": key.description, "roles": key.roles});
    if let Some(last_login) = key.last_login {
        record["last_login"] = json!(last_login);
        record["last_ip"] = json!(key.last_ip);
    }
    record
}

fn create_key(state: &mut ServerState, request: &RecordedRequest, shortname: &str) -> ApiResponse {
    let fields = match key_fields(request, &["appname", "roles"]) {
        Ok(fields) => fields,
        Err(violation) => return reject_violation(state, request, 400, &violation),
    };
    let appname = text_field(&fields, "appname");
    if state.key(shortname, &appname).is_some() {
        return ApiResponse::error(400, "there is an API key of that name");
    }
    let appkey = state.tenants.add_key(shortname, &appname, role_field(&fields), &text_field(&fields, "description"));
    key_response(state, 201, shortname, &appname, &appkey)
}

fn regenerate_key(state: &mut ServerState, request: &RecordedRequest, shortname: &str, appname: &str) -> ApiResponse {
    let fields = match key_fields(request, &["description", "roles"]) {
        Ok(fields) => fields,
        Err(violation) => return reject_violation(state, request, 400, &violation),
    };
    let Some(appkey) = state.tenants.regenerate_key(shortname, appname) else {
        return ApiResponse::error(404, "no such API key");
    };
    if let Some(key) = state.tenants.by_shortname.get_mut(shortname).and_then(|tenant| tenant.keys.get_mut(appname)) {
        key.description = text_field(&fields, "description");
        key.roles = state.roles_after_regeneration.clone().unwrap_or_else(|| role_field(&fields));
    }
    state.regenerations += 1;
    if state.regeneration_ends_access {
        state.tenants.end_access_tokens_of(shortname, appname);
    }
    key_response(state, 200, shortname, appname, &appkey)
}

fn remove_key(state: &mut ServerState, shortname: &str, appname: &str) -> ApiResponse {
    if state.tenants.remove_key(shortname, appname) {
        return ApiResponse { status: 204, headers: Vec::new(), body: Vec::new() };
    }
    ApiResponse::error(404, "no such API key")
}

fn key_response(state: &ServerState, status: u16, shortname: &str, appname: &str, appkey: &str) -> ApiResponse {
    let Some(key) = state.key(shortname, appname) else { return ApiResponse::error(404, "no such API key") };
    let mut record = key_record(appname, key);
    record["appkey"] = json!(appkey);
    ApiResponse::with_data(status, &record)
}

/// Parses the body of a call that creates or regenerates a key. Returns an error if a `needed` field is missing, a
/// field is unknown, or a type is wrong.
fn key_fields(request: &RecordedRequest, needed: &[&str]) -> Result<Map<String, Value>, String> {
    if request.media_type() != "application/json" {
        return Err("the content type is not application/json".to_owned());
    }
    let fields: Map<String, Value> = parse_object("the body", &request.body)?;
    if let Some(missing) = needed.iter().find(|name| !fields.contains_key(**name)) {
        return Err(format!("the complete object is wanted: {missing} is missing"));
    }
    for (name, value) in &fields {
        let is_valid = match name.as_str() {
            "appname" | "description" => value.is_string(),
            "roles" => value.as_array().is_some_and(|roles| roles.iter().all(Value::is_string)),
            _ => false,
        };
        if !is_valid {
            return Err(format!("{name} does not belong there, or is of the wrong type"));
        }
    }
    Ok(fields)
}

fn text_field(fields: &Map<String, Value>, name: &str) -> String {
    fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn role_field(fields: &Map<String, Value>) -> Vec<String> {
    let roles = fields.get("roles").and_then(Value::as_array);
    roles.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
