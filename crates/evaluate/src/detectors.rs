//! From the names a person gives to methods with their options.

use lapwing_detect::{Inputs, MemberSpec, Method, ModelColumns, OptionValue};

use crate::error::{EvaluateError, unknown_name};

/// Methods that look at one column at a time with nothing but its order statistics: what an ablation starts from.
const STATISTICAL: [&str; 2] = ["robust_zscore", "iqr_fence"];

/// Reads names between commas: methods, `default`, or `supervised`; none twice. `settings` are `METHOD.OPTION=VALUE`.
/// Errors: `Setting`.
pub fn methods(names: &str, settings: &[String]) -> Result<Vec<Method>, EvaluateError> {
    let mut methods: Vec<Method> = Vec::new();
    for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let group = match name {
            "default" => Method::default_ensemble(),
            "supervised" => Method::default_ensemble().into_iter().chain(Method::supervised_ensemble()).collect(),
            name => vec![named(name)?],
        };
        for method in group {
            if !methods.iter().any(|known| known.name() == method.name()) {
                methods.push(method);
            }
        }
    }
    if methods.is_empty() {
        return Err(EvaluateError::setting("no detector is named"));
    }
    settings.iter().try_for_each(|setting| set(&mut methods, setting))?;
    Ok(methods)
}

/// The method of that name. Errors: `Setting`, with the nearest name.
pub(crate) fn named(name: &str) -> Result<Method, EvaluateError> {
    let refused = || {
        let all = Method::all();
        let known: Vec<&str> = all.iter().map(Method::name).chain(["default", "supervised"]).collect();
        EvaluateError::setting(format!("there is no detector `{name}`: {}", unknown_name(name, &known)))
    };
    Method::named(name).ok_or_else(refused)
}

/// The baselines of an ablation.
pub(crate) fn statistical(methods: &[Method]) -> Vec<Method> {
    let named: Vec<Method> = methods.iter().filter(|method| STATISTICAL.contains(&method.name())).cloned().collect();
    if named.is_empty() { vec![Method::RobustZscore] } else { named }
}

fn set(methods: &mut [Method], setting: &str) -> Result<(), EvaluateError> {
    let parts = setting.split_once('=').and_then(|(place, value)| Some((place.split_once('.')?, value)));
    let Some(((name, option), value)) = parts else {
        return Err(EvaluateError::setting(format!("`{setting}` is not of the form METHOD.OPTION=VALUE")));
    };
    let names: Vec<&str> = methods.iter().map(Method::name).collect();
    let refused = || EvaluateError::setting(format!("`{setting}`: `{name}` is not asked for; {}", names.join(", ")));
    let place = names.iter().position(|known| *known == name).ok_or_else(refused)?;
    methods[place].set(option, &value_of(value)).map_err(EvaluateError::Setting)
}

/// Sets options of one method: `OPTION=VALUE`. Errors: `Setting`.
pub(crate) fn set_all(method: &mut Method, settings: &[String]) -> Result<(), EvaluateError> {
    for setting in settings {
        let Some((option, value)) = setting.split_once('=') else {
            return Err(EvaluateError::setting(format!("`{setting}` is not of the form OPTION=VALUE")));
        };
        method.set(option.trim(), &value_of(value.trim())).map_err(EvaluateError::Setting)?;
    }
    Ok(())
}

/// A whole number, a number, yes or no, or a text.
pub(crate) fn value_of(text: &str) -> OptionValue {
    match (text.parse::<usize>(), text.parse::<f64>(), text.parse::<bool>()) {
        (Ok(whole), _, _) => OptionValue::Whole(whole),
        (_, Ok(number), _) => OptionValue::Number(number),
        (_, _, Ok(flag)) => OptionValue::Flag(flag),
        _ => OptionValue::Text(text.to_owned()),
    }
}

/// Members called as their methods. `choices` are `METHOD=COLUMN,COLUMN`, a `*` at the end standing for all columns that
/// begin so; a method without a choice reads everything. Errors: `Setting`.
pub(crate) fn members(
    methods: &[Method],
    columns: &ModelColumns,
    choices: &[String],
) -> Result<Vec<MemberSpec>, EvaluateError> {
    let known: Vec<String> = columns.inputs().into_iter().map(|input| input.column).collect();
    let member = |method: &Method| {
        let name = method.name().to_owned();
        let chosen = choices.iter().filter_map(|choice| choice.split_once('=')).rfind(|(chosen, _)| *chosen == name);
        let inputs = match chosen {
            None => Inputs::All,
            Some((_, patterns)) => Inputs::Named(matching(patterns, &known)?),
        };
        Ok(MemberSpec { name, method: method.clone(), inputs, rules: Vec::new() })
    };
    methods.iter().map(member).collect()
}

/// Refuses choices of inputs that are not `METHOD=COLUMN,COLUMN` for one of the methods. Errors: `Setting`.
pub(crate) fn check_inputs(methods: &[Method], choices: &[String]) -> Result<(), EvaluateError> {
    let names: Vec<&str> = methods.iter().map(Method::name).collect();
    for choice in choices {
        let Some((name, _)) = choice.split_once('=') else {
            return Err(EvaluateError::setting(format!("`{choice}` is not of the form METHOD=COLUMN,COLUMN")));
        };
        if !names.contains(&name) {
            let asked = names.join(", ");
            return Err(EvaluateError::setting(format!("`{choice}`: `{name}` is not asked for; {asked}")));
        }
    }
    Ok(())
}

/// The columns that are named, or begin as is named. Errors: `Setting` for a name that stands for none.
fn matching(patterns: &str, known: &[String]) -> Result<Vec<String>, EvaluateError> {
    let mut found = Vec::new();
    for pattern in patterns.split(',').map(str::trim) {
        let fits = |column: &&String| match pattern.strip_suffix('*') {
            Some(beginning) => column.starts_with(beginning),
            None => column.as_str() == pattern,
        };
        let before = found.len();
        found.extend(known.iter().filter(fits).cloned());
        if found.len() == before {
            let columns: Vec<&str> = known.iter().map(String::as_str).collect();
            let near = unknown_name(pattern, &columns);
            return Err(EvaluateError::setting(format!("no input is called `{pattern}`: {near}")));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_methods_or_groups_and_come_once() {
        let names = |text: &str| methods(text, &[]).map(|all| all.iter().map(Method::name).collect::<Vec<_>>());
        assert_eq!(names("robust_zscore, isolation_forest").unwrap(), ["robust_zscore", "isolation_forest"]);
        let default = names("default").unwrap();
        assert_eq!(names(&format!("{}, default", default[0])).unwrap(), default);
        assert_eq!(names("supervised").unwrap()[..default.len()], default);
        let refused = names("isolation_forrest").unwrap_err().to_string();
        assert!(refused.contains("did you mean `isolation_forest`?"), "{refused}");
        assert!(names(" , ").is_err());
    }

    #[test]
    fn options_are_set_by_method_and_name() {
        let set = |setting: &str| methods("default", &[setting.to_owned()]);
        let forest = set("isolation_forest.trees=7").unwrap();
        let forest = forest.iter().find(|method| method.name() == "isolation_forest").unwrap();
        assert_eq!(forest.options()[0], ("trees", OptionValue::Whole(7)));
        for (setting, text) in [
            ("trees=7", "METHOD.OPTION"),
            ("pca.trees=7", "not asked for"),
            ("isolation_forest.trees=0", "allowed: 1 to"),
        ] {
            let refused = set(setting).unwrap_err().to_string();
            assert!(refused.contains(text), "{refused}");
        }
    }

    #[test]
    fn inputs_are_chosen_by_name_or_by_how_names_begin() {
        let columns = ModelColumns::numeric(&["order_1", "order_2", "events_E1", "seconds"]).unwrap();
        let chosen = methods("transitions,pca", &[]).unwrap();
        let choices = ["transitions=order_*".to_owned(), "pca=seconds, events_E1".to_owned()];
        let named = |members: &[MemberSpec]| -> Vec<Inputs> { members.iter().map(|m| m.inputs.clone()).collect() };
        let names = |names: [&str; 2]| Inputs::Named(names.map(str::to_owned).to_vec());
        let members_of = |choices: &[String]| members(&chosen, &columns, choices);
        let expected = [names(["order_1", "order_2"]), names(["seconds", "events_E1"])];
        assert_eq!(named(&members_of(&choices).unwrap()), expected);
        assert_eq!(named(&members_of(&choices[..1]).unwrap())[1], Inputs::All);
        let refused = members_of(&["pca=order*,second".to_owned()]).unwrap_err().to_string();
        assert!(refused.contains("did you mean `seconds`?"), "{refused}");
        assert!(check_inputs(&chosen, &choices).is_ok());
        for (choice, text) in [("order_*", "METHOD=COLUMN"), ("ecod=seconds", "transitions, pca")] {
            let refused = check_inputs(&chosen, &[choice.to_owned()]).unwrap_err().to_string();
            assert!(refused.contains(text), "{refused}");
        }
    }
}
