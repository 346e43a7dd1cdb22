use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, DeriveInput, Error};

pub(crate) enum Way {
    Input,
    Output,
}

pub(crate) fn expand(attribute: TokenStream, item: TokenStream, way: Way) -> TokenStream {
    attributes(attribute, &item, way).unwrap_or_else(|e| {
        let e = e.to_compile_error();
        quote!(#item #e)
    })
}

fn attributes(attribute: TokenStream, item: &TokenStream, way: Way) -> syn::Result<TokenStream> {
    if let Some(token) = attribute.into_iter().next() {
        return Err(Error::new(token.span(), "this attribute takes nothing: use #[serde(...)] and #[schemars(...)]"));
    }
    let parsed: DeriveInput = syn::parse2(item.clone())?;
    let traits = match way {
        Way::Input => quote!(::writ_servlet::serde::Deserialize),
        Way::Output => quote!(::writ_servlet::serde::Serialize),
    };
    // A misspelt argument is told to the model, not ignored. serde cannot do both.
    let strict = matches!(way, Way::Input) && matches!(parsed.data, syn::Data::Struct(_)) && !flattens(&parsed);
    let deny = if strict && !says(&parsed.attrs, "deny_unknown_fields") { quote!(deny_unknown_fields,) } else { quote!() };
    Ok(quote! {
        #[derive(#traits, ::writ_servlet::schemars::JsonSchema)]
        #[serde(#deny crate = "::writ_servlet::serde")]
        #[schemars(crate = "::writ_servlet::schemars")]
        #item
    })
}

fn flattens(item: &DeriveInput) -> bool {
    match &item.data {
        syn::Data::Struct(data) => data.fields.iter().any(|field| says(&field.attrs, "flatten")),
        _ => false,
    }
}

// says tells whether a word is among the arguments of a serde attribute.
fn says(attributes: &[Attribute], word: &str) -> bool {
    attributes.iter().filter(|a| a.path().is_ident("serde")).any(|a| {
        let mut found = false;
        let _ = a.parse_nested_meta(|meta| {
            found |= meta.path.is_ident(word);
            if meta.input.peek(syn::Token![=]) {
                meta.value()?.parse::<syn::Expr>()?;
            } else if meta.input.peek(syn::token::Paren) {
                let inner;
                syn::parenthesized!(inner in meta.input);
                inner.parse::<TokenStream>()?;
            }
            Ok(())
        });
        found
    })
}
