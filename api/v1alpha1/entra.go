package v1alpha1

// LoginHost is the host of the cloud's login authority, and "" for a cloud that is not known.
func (c EntraCloud) LoginHost() string {
	switch c {
	case EntraCloudPublic, "":
		return "login.microsoftonline.com"
	case EntraCloudUSGovernment:
		return "login.microsoftonline.us"
	case EntraCloudChina:
		return "login.partner.microsoftonline.cn"
	default:
		return ""
	}
}
