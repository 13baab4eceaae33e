//! Edge modules made of the real one: the same under another hash, or with a fault.

use std::fs;

use crate::built;

/// Sections of a module (WebAssembly Core section 5.5.2).
const CUSTOM: u8 = 0;
const FUNCTION: u8 = 3;
const EXPORT: u8 = 7;
const CODE: u8 = 10;

/// How a module decides about videos whose id begins with `oz`.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// It traps.
    Traps,
    /// It never ends.
    Loops,
}

/// The edge module that was built.
pub fn real() -> Vec<u8> {
    let path = built::edge_module();
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The real one, with a note that changes its hash and nothing else.
pub fn noted(note: &str) -> Vec<u8> {
    let mut module = real();
    let mut section = Vec::new();
    put_bytes(&mut section, b"note");
    section.extend_from_slice(note.as_bytes());
    module.push(CUSTOM);
    put_bytes(&mut module, &section);
    module
}

/// The real one, behind a function that looks at the fifth byte of a request's path first.
pub fn faulty(fault: Fault) -> Vec<u8> {
    let sections = sections(&real());
    let body = |id| {
        let found = sections.iter().find(|(found, _)| *found == id);
        found
            .map(|(_, body)| body.as_slice())
            .expect("the module has the section")
    };
    // There are no imports, so functions are numbered as they stand here.
    let types = numbers(body(FUNCTION));
    let (decide, buffer) = (
        exported(body(EXPORT), "edge_decide"),
        exported(body(EXPORT), "edge_buf"),
    );
    let wrapper = types.len() as u32;

    let mut module = b"\0asm\x01\0\0\0".to_vec();
    for (id, body) in &sections {
        let changed = match *id {
            FUNCTION => {
                let mut changed = Vec::new();
                put_number(&mut changed, wrapper + 1);
                types
                    .iter()
                    .for_each(|index| put_number(&mut changed, *index));
                put_number(&mut changed, types[decide as usize]);
                changed
            }
            EXPORT => with_export(body, "edge_decide", wrapper),
            CODE => with_function(body, &guard(fault, decide, buffer)),
            _ => body.clone(),
        };
        module.push(*id);
        put_bytes(&mut module, &changed);
    }
    module
}

/// A function that does what the fault is, or else what `decide` does.
fn guard(fault: Fault, decide: u32, buffer: u32) -> Vec<u8> {
    // The path begins 12 bytes into the request: "/v/oz".
    const FIFTH: u8 = 12 + 4;
    let mut code = vec![0, 0x10];
    put_number(&mut code, buffer);
    // i32.load8_u; i32.const 'z'; i32.eq; if
    code.extend([0x2d, 0, FIFTH, 0x41, 0xfa, 0, 0x46, 0x04, 0x40]);
    match fault {
        Fault::Traps => code.push(0),
        // loop; br 0; end
        Fault::Loops => code.extend([0x03, 0x40, 0x0c, 0, 0x0b]),
    }
    // end; local.get 0; call
    code.extend([0x0b, 0x20, 0, 0x10]);
    put_number(&mut code, decide);
    code.push(0x0b);
    code
}

fn sections(module: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut rest = &module[8..];
    let mut sections = Vec::new();
    while let Some((id, after)) = rest.split_first() {
        rest = after;
        let len = number(&mut rest) as usize;
        sections.push((*id, rest[..len].to_vec()));
        rest = &rest[len..];
    }
    sections
}

fn numbers(mut body: &[u8]) -> Vec<u32> {
    (0..number(&mut body)).map(|_| number(&mut body)).collect()
}

/// Names, kinds and indices.
fn exports(mut body: &[u8]) -> Vec<(Vec<u8>, u8, u32)> {
    let count = number(&mut body);
    let export = |_| {
        let len = number(&mut body) as usize;
        let (name, rest) = body.split_at(len);
        body = &rest[1..];
        (name.to_vec(), rest[0], number(&mut body))
    };
    (0..count).map(export).collect()
}

fn exported(body: &[u8], name: &str) -> u32 {
    let exports = exports(body);
    let found = exports.iter().find(|(found, ..)| found == name.as_bytes());
    found.unwrap_or_else(|| panic!("no export {name}")).2
}

fn with_export(body: &[u8], name: &str, index: u32) -> Vec<u8> {
    let exports = exports(body);
    let mut changed = Vec::new();
    put_number(&mut changed, exports.len() as u32);
    for (found, kind, old) in exports {
        put_bytes(&mut changed, &found);
        changed.push(kind);
        put_number(
            &mut changed,
            if found == name.as_bytes() { index } else { old },
        );
    }
    changed
}

fn with_function(mut body: &[u8], code: &[u8]) -> Vec<u8> {
    let mut changed = Vec::new();
    let count = number(&mut body);
    put_number(&mut changed, count + 1);
    changed.extend_from_slice(body);
    put_bytes(&mut changed, code);
    changed
}

/// Unsigned LEB128.
fn number(rest: &mut &[u8]) -> u32 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (byte, after) = rest.split_first().expect("a number has an end");
        *rest = after;
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

fn put_number(to: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

fn put_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    put_number(to, bytes.len() as u32);
    to.extend_from_slice(bytes);
}
