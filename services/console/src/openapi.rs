//! The API's description, OpenAPI 3.1, made of the routes and of the types that they take and give.

use std::collections::BTreeMap;

use proto_schemas::ids::MAX_ID_BYTES;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use crate::call::Answer;
use crate::problem::{Document, Problem};
use crate::route::{Method, Needs, Route};
use crate::routes;

/// The route that serves it.
pub(crate) fn routes() -> Vec<Route> {
    let route = Route::new::<Value>(Method::Get, "/v1/openapi.json", "openapi", |_, _| {
        Box::pin(async { Answer::of(&document(&routes::all())) })
    });
    vec![route.about("Shows this description.")]
}

fn document(routes: &[Route]) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut schemas = SchemaGenerator::new(settings);
    let problem = schemas.subschema_for::<Document>().to_value();
    let mut paths = Map::new();
    for route in routes {
        let path = paths.entry(&route.path).or_insert_with(|| json!({}));
        path[route.method.as_str()] = operation(route, &mut schemas);
    }
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "Console",
            "version": "1",
            "description": "The admin API of the chatbot platform. What is refused is answered with a problem document \
                (RFC 9457), whose `code` is for programs.",
        },
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": schemas.take_definitions(true),
            "responses": {"Problem": {
                "description": "Why not.",
                "content": {"application/problem+json": {"schema": problem}},
            }},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    })
}

fn operation(route: &Route, schemas: &mut SchemaGenerator) -> Value {
    let mut operation = json!({
        "operationId": route.name,
        "summary": route.summary,
        "description": format!("For the role {}.", route.role.as_str()),
        "responses": responses(route, schemas),
    });
    let parameters = parameters(route, schemas);
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(takes) = route.takes {
        operation["requestBody"] = json!({
            "required": true,
            "content": {"application/json": {"schema": takes(schemas)}},
        });
    }
    operation
}

fn parameters(route: &Route, schemas: &mut SchemaGenerator) -> Vec<Value> {
    let parameter = |place: &str, name: &str, about: &str, schema: Value| json!({"name": name, "in": place, "required": place == "path", "description": about, "schema": schema});
    let identifier = json!({"type": "string", "pattern": "^[A-Za-z0-9_-]+$", "maxLength": MAX_ID_BYTES});
    let mut parameters = Vec::new();
    if route.has_id() {
        parameters.push(parameter("path", "id", "The identifier.", identifier));
    }
    let queries = route.queries.map(|queries| queries(schemas).to_value());
    let properties = queries
        .iter()
        .filter_map(|schema| schema["properties"].as_object());
    for (name, schema) in properties.flatten() {
        let mut schema = schema.clone();
        let about = schema
            .as_object_mut()
            .and_then(|schema| schema.remove("description"));
        let about = about.unwrap_or_default();
        parameters.push(parameter(
            "query",
            name,
            about.as_str().unwrap_or_default(),
            schema,
        ));
    }
    if route.needs != Needs::Nothing {
        let tag = json!({"type": "string", "pattern": "^\"[0-9]+\"$"});
        let about = "The revision that is replaced, in quotes, as `ETag` tells it.";
        parameters.push(parameter("header", "If-Match", about, tag));
    }
    if route.needs == Needs::RevisionOrAbsence {
        let about = "In place of `If-Match`, for what is not there.";
        parameters.push(parameter("header", "If-None-Match", about, json!({"const": "*"})));
    }
    parameters
}

fn responses(route: &Route, schemas: &mut SchemaGenerator) -> Value {
    let done = json!({
        "description": "Done.",
        "content": {"application/json": {"schema": (route.gives)(schemas)}},
    });
    let mut responses = Map::new();
    if route.needs == Needs::RevisionOrAbsence {
        responses.insert("201".to_owned(), done.clone());
    }
    responses.insert("200".to_owned(), done);
    for (status, codes) in by_status(&route.all_problems()) {
        let description = format!("With the code {}.", codes.join(", "));
        let problem = json!({"$ref": "#/components/responses/Problem", "description": description});
        responses.insert(status.to_string(), problem);
    }
    responses.sort_keys();
    responses.into()
}

fn by_status(problems: &[&'static str]) -> BTreeMap<u16, Vec<String>> {
    let mut found: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for (code, status) in Problem::CODES.iter().filter(|(code, _)| problems.contains(code)) {
        found.entry(*status).or_default().push(format!("`{code}`"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_names_only_problems_that_there_are() {
        for route in routes::all() {
            for code in route.all_problems() {
                let is_known = Problem::CODES.iter().any(|(known, _)| *known == code);
                assert!(is_known, "{}: {code}", route.name);
            }
        }
    }

    #[test]
    fn every_name_and_every_reference_is_of_one_thing() {
        let routes = routes::all();
        let mut names: Vec<&str> = routes.iter().map(|route| route.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), routes.len());
        let document = document(&routes);
        let mut open = vec![&document];
        let mut references = 0;
        while let Some(value) = open.pop() {
            if let Some(reference) = value["$ref"].as_str() {
                references += 1;
                let pointer = reference.strip_prefix('#').unwrap();
                assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
            }
            open.extend(value.as_object().into_iter().flat_map(Map::values));
            open.extend(value.as_array().into_iter().flatten());
        }
        assert!(references > 100, "{references}");
    }
}
