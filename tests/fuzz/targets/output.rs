//! Any Secret as a tenant's output: nothing panics, a second look writes nothing, a good value never just disappears, and
//! the operator wakes for each phase that is under way.
#![no_main]

#[path = "../../it/support/in_memory.rs"]
mod in_memory;

use std::{collections::BTreeMap, time::Duration};

use idp_operator::{
    api::{
        TenantJwtSecret, TenantJwtSecretSpec, labels,
        refs::SecretKeyRef,
        tenant_jwt_secret::{DeletionPolicy, Outputs, Rotation, SigningAlgorithm, Template},
    },
    cluster::key::ObjectKey,
    controllers::tenant_jwt_secret::observe::Rival,
    domain::{
        digest::sha256_hex,
        oct_jwks, policy,
        rotation::Mode,
        secret_output::{OutputFacts, Role, key},
    },
};
use in_memory::{InMemory, Look};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    ByteString,
    api::core::v1::Secret,
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use libfuzzer_sys::{
    arbitrary::{Result, Unstructured},
    fuzz_target,
};
use rand::{SeedableRng as _, rngs::StdRng};
use secrecy::ExposeSecret as _;

const UID: &str = "uid";

fuzz_target!(|data: &[u8]| {
    // Input that ends early is filled up with zeroes, so there is hardly any that can't be used.
    let _ = run(&mut Unstructured::new(data));
});

fn run(input: &mut Unstructured<'_>) -> Result<()> {
    // In 2027, with some nanoseconds.
    let now = Timestamp::new(1_800_000_000, input.int_in_range(0..=999_999_999)?).unwrap();
    let mut memory = InMemory::new(object(input)?, 1);
    memory.output = if input.ratio(15, 16)? { Some(output(input, now)?) } else { None };
    memory.source = value(input)?;
    memory.claimed = !input.ratio(1, 8)?;
    memory.rival = if input.ratio(1, 8)? { Some(rival(input)?) } else { None };

    look_twice(&mut memory, now);
    for _ in 0..2 {
        let later = SignedDuration::from_secs(input.int_in_range(0..=90_000_000)?);
        look_twice(&mut memory, now.saturating_add(later).unwrap());
    }
    Ok(())
}

fn look_twice(memory: &mut InMemory, now: Timestamp) {
    let before = memory.output.clone();
    check_forms(before.as_ref());
    let first = memory.look(now);
    check_forms(memory.output.as_ref());
    check_values(memory, before, &first, now);
    let left = memory.output.clone();
    let second = memory.look(now);
    assert!(!second.plan.is_written, "a second look writes again: {:?}, then {:?}", first.plan, second.plan);
    assert_eq!(left, memory.output);
    check_waking(memory, &second);
}

/// `jwks.json` is a JWK Set of at most three keys, whatever stands in the Secret.
fn check_forms(secret: Option<&Secret>) {
    let Some(secret) = secret else { return };
    let jwks: serde_json::Value = serde_json::from_slice(&oct_jwks::jwks(secret)).unwrap();
    assert!(jwks["keys"].as_array().unwrap().len() <= 3);
    let raw = oct_jwks::raw(secret).map(|raw| raw.to_vec());
    assert_eq!(raw, decoded(Some(secret), Role::Current));
}

fn check_values(memory: &InMemory, before: Option<Secret>, look: &Look, now: Timestamp) {
    let was = before.as_ref().map(OutputFacts::read);
    let was_current = decoded(before.as_ref(), Role::Current);
    let [current, previous, _] = Role::ALL.map(|role| decoded(memory.output.as_ref(), role));
    if !look.plan.is_written {
        assert_eq!(memory.output, before);
    }
    // A good value that was current is current or previous now.
    let rotation = &memory.object.spec.rotation;
    let good = was.as_ref().and_then(|was| was.current.algorithm.filter(|algorithm| was.current.obeys(*algorithm)));
    let grace_period = Duration::from(rotation.grace_period);
    let previous_until = look.facts.as_ref().and_then(|facts| facts.previous_until(now));
    if good.is_some() && current != was_current && !grace_period.is_zero() {
        assert_eq!(previous, was_current, "a good value is gone: {look:?}");
        assert!(previous_until >= now.checked_add(grace_period).ok(), "a grace period is shortened: {look:?}");
    }
    // It is replaced for a reason.
    let is_calm = look.plan.terms.token.is_none()
        && look.plan.terms.interval.is_none()
        && was.is_some_and(|was| !was.next.exists);
    if let (Mode::Generated(algorithm), true) = (look.plan.mode, is_calm)
        && good == Some(algorithm)
    {
        assert_eq!(current, was_current, "a good value is replaced: {look:?}");
    }
    // Where values are generated there is a good one, unless somebody is told why not.
    if let (Mode::Generated(algorithm), None, Some(facts)) = (look.plan.mode, &look.plan.problem, &look.facts) {
        assert!(facts.current.obeys(algorithm) && facts.current.algorithm == Some(algorithm), "{look:?}");
        assert!(facts.current.key_id.is_some() && facts.issued_at(now).is_some(), "{look:?}");
    }
}

/// Whoever has an output that can be written wakes when a phase ends.
fn check_waking(memory: &InMemory, look: &Look) {
    let is_served = memory.object.status.as_ref().is_some_and(|status| status.secret_name.is_some());
    let Some(facts) = look.facts.as_ref().filter(|facts| is_served && !facts.immutable) else { return };
    let is_aging = look.plan.terms.interval.is_some() && matches!(look.plan.mode, Mode::Generated(_));
    if memory.rival.is_none() && (facts.previous.exists || facts.next.exists || is_aging) {
        assert!(look.requeue.is_some(), "it never wakes: {look:?}");
    }
}

fn decoded(secret: Option<&Secret>, role: Role) -> Option<Vec<u8>> {
    let [value, ..] = role.keys();
    let bytes = &secret?.data.as_ref()?.get(value)?.0;
    policy::decode(bytes).ok().filter(|_| !bytes.is_empty()).map(|decoded| decoded.to_vec())
}

/// An object that the API server would accept.
fn object(input: &mut Unstructured<'_>) -> Result<TenantJwtSecret> {
    let is_referenced = input.ratio(1, 3)?;
    let lead_time: u64 = if is_referenced || input.arbitrary()? { 0 } else { input.int_in_range(0..=86_400)? };
    let grace_period: u64 = if input.ratio(1, 4)? { 0 } else { input.int_in_range(0..=31_536_000)? };
    let interval: Option<u64> = if is_referenced || input.arbitrary()? {
        None
    } else {
        Some(input.int_in_range((lead_time + grace_period + 1).max(3600)..=315_360_000)?)
    };
    let seconds = Duration::from_secs;
    let spec = TenantJwtSecretSpec {
        tenant_id: "acme".to_owned(),
        signing_algorithm: algorithm(input)?,
        secret_ref: is_referenced.then(|| SecretKeyRef { name: "source".to_owned(), key: "secret".to_owned() }),
        rotation: Rotation {
            interval: interval.map(|interval| seconds(interval).into()),
            grace_period: seconds(grace_period).into(),
            lead_time: seconds(lead_time).into(),
        },
        outputs: Outputs { jwks: input.arbitrary()?, raw: input.arbitrary()? },
        template: if input.ratio(1, 4)? { Some(template(input)?) } else { None },
        adopt: input.arbitrary()?,
        deletion_policy: if input.arbitrary()? { DeletionPolicy::Delete } else { DeletionPolicy::Retain },
        ..TenantJwtSecretSpec::default()
    };
    let mut object = TenantJwtSecret::new("acme", spec);
    object.metadata.uid = Some(UID.to_owned());
    object.metadata.namespace = Some("here".to_owned());
    if input.ratio(1, 3)? {
        object.metadata.annotations = Some(BTreeMap::from([(labels::ROTATE.to_owned(), token(input)?.to_owned())]));
    }
    if input.ratio(1, 4)? {
        object.status.get_or_insert_default().rotate_token = Some(digest(token(input)?));
    }
    Ok(object)
}

fn algorithm(input: &mut Unstructured<'_>) -> Result<Option<SigningAlgorithm>> {
    let choices = [None, Some(SigningAlgorithm::Hs256), Some(SigningAlgorithm::Hs384), Some(SigningAlgorithm::Hs512)];
    input.choose(&choices).copied()
}

fn token<'a>(input: &mut Unstructured<'_>) -> Result<&'a str> {
    input.choose(&["a", "b", "c"]).copied()
}

fn digest(token: &str) -> String {
    sha256_hex(&[token.as_bytes()])
}

fn template(input: &mut Unstructured<'_>) -> Result<Template> {
    let mut pairs = |most: usize| -> Result<BTreeMap<String, String>> {
        let count = input.int_in_range(0..=most)?;
        (0..count)
            .map(|_| Ok((input.choose(&["a", "b", "c"])?.to_string(), input.choose(&["", "x"])?.to_string())))
            .collect()
    };
    Ok(Template { labels: pairs(3)?, annotations: pairs(3)? })
}

fn rival(input: &mut Unstructured<'_>) -> Result<Rival> {
    let namespace = *input.choose(&["here", "there"])?;
    Ok(Rival { key: ObjectKey::new(namespace, "older"), has_output: namespace == "here" && input.arbitrary()? })
}

/// A Secret of the output's name: more or less as the operator writes it, or not at all.
fn output(input: &mut Unstructured<'_>, now: Timestamp) -> Result<Secret> {
    let mut data = BTreeMap::new();
    let mut put = |name: &str, bytes: Option<Vec<u8>>| {
        if let Some(bytes) = bytes {
            data.insert(name.to_owned(), ByteString(bytes));
        }
    };
    for (role, is_there) in [(Role::Current, 15), (Role::Previous, 8), (Role::Next, 8)] {
        if input.ratio(is_there, 16)? {
            let [value_key, algorithm_key, id_key, time_key] = role.keys();
            put(value_key, value(input)?);
            put(
                algorithm_key,
                or_any(input, |input| Ok(algorithm(input)?.map(|algorithm| algorithm.as_str().to_owned())))?,
            );
            put(id_key, or_any(input, |input| Ok(Some(input.choose(&["a", "b", "c"])?.to_string())))?);
            put(time_key, or_any(input, |input| Ok(Some(time(input, now)?.to_string())))?);
        }
    }
    let tokens = or_any(input, |input| {
        let count = input.int_in_range(0..=40)?;
        let lines = (0..count).map(|_| token(input).map(digest)).collect::<Result<Vec<_>>>()?;
        Ok((count > 0).then(|| lines.join("\n")))
    })?;
    put(key::ROTATE_TOKENS, tokens);
    put(key::JWKS, or_any(input, |_| Ok(None))?);
    put(key::RAW, or_any(input, |_| Ok(None))?);
    put("foreign", or_any(input, |_| Ok(None))?);
    let mut secret = Secret {
        metadata: metadata(input)?,
        data: Some(data),
        immutable: input.ratio(1, 16)?.then_some(true),
        type_: Some((if input.ratio(1, 16)? { "Other" } else { "Opaque" }).to_owned()),
        ..Secret::default()
    };
    if input.arbitrary()? {
        let jwks = oct_jwks::jwks(&secret).to_vec();
        secret.data.get_or_insert_default().insert(key::JWKS.to_owned(), ByteString(jwks));
    }
    Ok(secret)
}

fn metadata(input: &mut Unstructured<'_>) -> Result<ObjectMeta> {
    let mut meta = ObjectMeta {
        name: Some("acme-jwt".to_owned()),
        namespace: Some("here".to_owned()),
        resource_version: Some("0".to_owned()),
        ..ObjectMeta::default()
    };
    if input.ratio(3, 4)? {
        meta.labels.get_or_insert_default().insert(labels::MANAGED.to_owned(), "true".to_owned());
    }
    let annotations = meta.annotations.get_or_insert_default();
    for (name, usual) in [
        (labels::TENANT_ID, "acme"),
        (labels::FORMAT, labels::FORMAT_V1),
        (labels::ADOPTED, "true"),
        (labels::TEMPLATE, r#"{"labels":["a","idp-operator.dev/managed"],"annotations":["b"]}"#),
        ("b", "x"),
    ] {
        if let Some(text) =
            or_any(input, |_| Ok(Some(usual.to_owned())))?.and_then(|bytes| String::from_utf8(bytes).ok())
        {
            annotations.insert(name.to_owned(), text);
        }
    }
    for _ in 0..input.int_in_range(0..=2)? {
        meta.owner_references.get_or_insert_default().push(OwnerReference {
            api_version: input.choose(&["idp-operator.dev/v1alpha1", "v1"])?.to_string(),
            kind: input.choose(&["TenantJwtSecret", "ConfigMap"])?.to_string(),
            name: "acme".to_owned(),
            uid: input.choose(&[UID, "gone"])?.to_string(),
            controller: input.ratio(1, 8)?.then_some(true),
            block_owner_deletion: input.ratio(1, 8)?.then_some(true),
        });
    }
    Ok(meta)
}

/// Nothing, what is usual, or any bytes.
fn or_any(
    input: &mut Unstructured<'_>,
    usual: impl FnOnce(&mut Unstructured<'_>) -> Result<Option<String>>,
) -> Result<Option<Vec<u8>>> {
    Ok(match input.int_in_range(0..=15)? {
        0..=11 => usual(input)?.map(String::into_bytes),
        12 | 13 => None,
        14 => Some(input.arbitrary::<&[u8]>()?.to_vec()),
        // Longer than anything has a right to be.
        _ => Some(vec![*input.choose(b"aA1=")?; input.int_in_range(1..=6000)?]),
    })
}

/// A value: good, nearly good, or any bytes.
fn value(input: &mut Unstructured<'_>) -> Result<Option<Vec<u8>>> {
    let Some(algorithm) = algorithm(input)? else { return or_any(input, |_| Ok(None)) };
    let seed = input.int_in_range(0..=3)?;
    let good = policy::generate(algorithm, &mut StdRng::seed_from_u64(seed)).unwrap();
    let good = good.expose_secret();
    Ok(Some(
        match input.int_in_range(0..=15)? {
            0 => good.trim_end_matches('=').to_owned(),
            1 => format!("{good}\n"),
            2 => good[..input.int_in_range(0..=good.len())?].to_owned(),
            _ => good.to_owned(),
        }
        .into_bytes(),
    ))
}

/// A time about now, or any.
fn time(input: &mut Unstructured<'_>, now: Timestamp) -> Result<Timestamp> {
    let most = *input.choose(&[2_i64, 400, 100_000, 32_000_000, 253_402_207_200])?;
    let offset = SignedDuration::from_secs(input.int_in_range(-most..=most)?);
    let time = now.saturating_add(offset).unwrap_or(now);
    Ok(if input.arbitrary()? { time } else { Timestamp::from_second(time.as_second()).unwrap_or(time) })
}
