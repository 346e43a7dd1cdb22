use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::Parser;
use syn::{Attribute, Error, Expr, FnArg, ItemFn, ReturnType};

pub(crate) fn expand(attribute: TokenStream, item: TokenStream) -> TokenStream {
    tool(attribute, &item).unwrap_or_else(|e| {
        let e = e.to_compile_error();
        let stand_in = stand_in(&item);
        quote!(#item #stand_in #e)
    })
}

// stand_in is a tool of the same name, so that one mistake is one error.
fn stand_in(item: &TokenStream) -> TokenStream {
    let Ok(ItemFn { vis, sig, .. }) = syn::parse2(item.clone()) else {
        return TokenStream::new();
    };
    let holder = sig.ident;
    quote! {
        #[doc(hidden)]
        #[allow(non_camel_case_types)]
        #vis struct #holder {}

        impl ::writ_servlet::Tool for #holder {
            const ABOUT: ::writ_servlet::About = ::writ_servlet::About::new("", "");
            type Input = ::writ_servlet::NoArguments;
            type Output = ::std::string::String;

            fn call(_: Self::Input) -> Self::Output {
                ::std::string::String::new()
            }
        }
    }
}

fn tool(attribute: TokenStream, item: &TokenStream) -> syn::Result<TokenStream> {
    let function: ItemFn = syn::parse2(item.clone())?;
    let mut about = About::default();
    let parser = syn::meta::parser(|meta| about.read(meta));
    parser.parse2(attribute)?;

    let signature = &function.sig;
    if let Some(asynchronous) = &signature.asyncness {
        return Err(Error::new_spanned(asynchronous, "a tool is no async function: start several operations, then wait for them"));
    }
    if !signature.generics.params.is_empty() {
        return Err(Error::new_spanned(&signature.generics, "a tool is not generic: its schema has to be known"));
    }
    let ident = &signature.ident;
    let arguments: Vec<_> = signature.inputs.iter().collect();
    let (input, run) = match arguments.as_slice() {
        [] => (quote!(::writ_servlet::NoArguments), quote!({ let ::writ_servlet::NoArguments {} = input; #ident() })),
        [FnArg::Typed(one)] => {
            let ty = &one.ty;
            (quote!(#ty), quote!({ #ident(input) }))
        }
        [.., last] => return Err(Error::new_spanned(last, "a tool takes no or one argument: a struct with #[input]")),
    };
    let ReturnType::Type(_, output) = &signature.output else {
        return Err(Error::new_spanned(ident, "a tool returns what the model gets: a String, Json or ToolResult, or a Result of these"));
    };
    let visibility = &function.vis;
    let about = about.tokens(&ident.unraw().to_string(), &function.attrs);
    let holder = ident;
    Ok(quote! {
        #item

        #[doc(hidden)]
        #[allow(non_camel_case_types)]
        #visibility struct #holder {}

        impl ::writ_servlet::Tool for #holder {
            const ABOUT: ::writ_servlet::About = #about;
            type Input = #input;
            type Output = #output;

            fn call(input: Self::Input) -> Self::Output #run
        }
    })
}

#[derive(Default)]
struct About {
    values: Vec<(syn::Ident, Expr)>,
    hints: Vec<syn::Ident>,
}

const VALUES: [&str; 6] = ["name", "title", "description", "input_schema", "output_schema", "meta"];
const HINTS: [&str; 4] = ["read_only", "additive", "idempotent", "closed_world"];

impl About {
    fn read(&mut self, meta: syn::meta::ParseNestedMeta) -> syn::Result<()> {
        let word = meta.path.require_ident()?.clone();
        if self.values.iter().map(|(name, _)| name).chain(&self.hints).any(|known| *known == word) {
            return Err(meta.error("it is there already"));
        }
        if VALUES.iter().any(|known| word == known) {
            let value = meta.value()?.parse()?;
            self.values.push((word, value));
        } else if HINTS.iter().any(|known| word == known) {
            self.hints.push(word);
        } else {
            return Err(meta.error(format!("not known: write {} or {}", VALUES.join(", "), HINTS.join(", "))));
        }
        Ok(())
    }

    fn tokens(self, name: &str, attributes: &[Attribute]) -> TokenStream {
        let description = docs(attributes);
        let values = self.values.iter().map(|(name, value)| quote!(about.#name = #value;));
        let hints = self.hints.iter().map(|name| quote!(about.#name = true;));
        quote!({
            let mut about = ::writ_servlet::About::new(#name, #description);
            #(#values)*
            #(#hints)*
            about
        })
    }
}

// docs is the text of the doc comments.
fn docs(attributes: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attributes {
        if let syn::Meta::NameValue(doc) = &attribute.meta {
            if let (true, Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. })) = (doc.path.is_ident("doc"), &doc.value) {
                lines.push(text.value());
            }
        }
    }
    let text: Vec<_> = lines.iter().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end()).collect();
    text.join("\n").trim().to_string()
}
