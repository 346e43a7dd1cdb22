// What the engine has and the language's own types have not.
declare var InternalError: ErrorConstructor | undefined;
