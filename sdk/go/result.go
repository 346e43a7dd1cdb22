package servlet

// Result is a tool's answer in full. The zero Result is an empty answer.
type Result struct {
	Content    []Content      // what the model reads, in order
	Structured any            // a JSON object for programs; when Content is empty its text is the content too
	IsError    bool           // the tool did not do it; Content says why
	Meta       map[string]any // the result's _meta
}

// Text is a result of one text.
func Text(text string) Result { return Blocks(TextBlock(text)) }

// Blocks is a result of several pieces of content.
func Blocks(blocks ...Content) Result { return Result{Content: blocks} }

// Structured is a result for programs, v being a struct or map, and the same as text for the model.
func Structured(v any) Result { return Result{Structured: v} }

// Image is a result of one picture.
func Image(mimeType string, data []byte) Result { return Blocks(ImageBlock(mimeType, data)) }

// Content is one block of a result, as MCP has them. Use the functions that end in Block.
type Content struct {
	Type        string    `json:"type"` // text, image, audio, resource or resource_link
	Text        string    `json:"text,omitempty"`
	Data        []byte    `json:"data,omitempty"` // image and audio; base64 on the wire
	MIMEType    string    `json:"mimeType,omitempty"`
	URI         string    `json:"uri,omitempty"` // resource_link
	Name        string    `json:"name,omitempty"`
	Title       string    `json:"title,omitempty"`
	Description string    `json:"description,omitempty"`
	Resource    *Resource `json:"resource,omitempty"` // resource
}

// Resource is a document inside a result. Blob is for what is not text.
type Resource struct {
	URI      string `json:"uri"`
	MIMEType string `json:"mimeType,omitempty"`
	Text     string `json:"text,omitempty"`
	Blob     []byte `json:"blob,omitempty"`
}

// TextBlock is a text.
func TextBlock(text string) Content { return Content{Type: "text", Text: text} }

// ImageBlock is a picture, such as "image/png".
func ImageBlock(mimeType string, data []byte) Content {
	return Content{Type: "image", MIMEType: mimeType, Data: data}
}

// AudioBlock is a sound, such as "audio/wav".
func AudioBlock(mimeType string, data []byte) Content {
	return Content{Type: "audio", MIMEType: mimeType, Data: data}
}

// ResourceBlock is a document that travels with the result.
func ResourceBlock(r Resource) Content { return Content{Type: "resource", Resource: &r} }

// LinkBlock points to a document.
func LinkBlock(uri, name string) Content {
	return Content{Type: "resource_link", URI: uri, Name: name}
}

// MarshalJSON writes the members that MCP requires for the block's type even when they are empty.
func (c Content) MarshalJSON() ([]byte, error) { return appendContent(nil, c) }

// MarshalJSON writes a text resource with its text even when that is empty.
func (r Resource) MarshalJSON() ([]byte, error) { return appendResource(nil, r), nil }

// MarshalJSON writes the result as MCP's CallToolResult.
func (r Result) MarshalJSON() ([]byte, error) { return appendResult(nil, r) }
