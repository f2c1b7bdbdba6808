package v1alpha1

// IdentityProvider is where a customer's people are kept, and what provisions them.
//
// +kubebuilder:validation:XValidation:rule="has(self.entra) == (self.type == 'Entra')",message="entra must be specified when type is Entra, and only then"
type IdentityProvider struct {
	// type is Entra, for Microsoft Entra ID. More values may come.
	//
	// +optional
	// +kubebuilder:default=Entra
	Type IdentityProviderType `json:"type,omitempty"`

	// entra names the Microsoft Entra tenant that provisions into this one.
	//
	// +optional
	Entra *Entra `json:"entra,omitempty"`
}

// IdentityProviderType is a kind of identity provider.
//
// +kubebuilder:validation:Enum=Entra
type IdentityProviderType string

// IdentityProviderEntra is Microsoft Entra ID.
const IdentityProviderEntra IdentityProviderType = "Entra"

// Entra identifies a Microsoft Entra tenant.
type Entra struct {
	// tenantID is the directory (tenant) ID, the GUID shown on the overview page of the Microsoft Entra admin center.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')",message="must be a GUID such as 8b1c3f0e-0a52-4a5b-9b61-3f2f6f6d2c11, the directory (tenant) ID in the Microsoft Entra admin center"
	TenantID string `json:"tenantID,omitempty"`

	// cloud is the Microsoft cloud that hosts the Entra tenant; it decides the login authority.
	// Public is login.microsoftonline.com, USGovernment login.microsoftonline.us, China login.partner.microsoftonline.cn. More values may come.
	//
	// +optional
	// +kubebuilder:default=Public
	Cloud EntraCloud `json:"cloud,omitempty"`
}

// EntraCloud is one of Microsoft's clouds.
//
// +kubebuilder:validation:Enum=Public;USGovernment;China
type EntraCloud string

const (
	// EntraCloudPublic is the worldwide cloud.
	EntraCloudPublic EntraCloud = "Public"
	// EntraCloudUSGovernment is the cloud for the United States government.
	EntraCloudUSGovernment EntraCloud = "USGovernment"
	// EntraCloudChina is the cloud operated by 21Vianet.
	EntraCloudChina EntraCloud = "China"
)

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

// InEntra is the identity provider of the people of an Entra tenant.
func InEntra(tenant Entra) *IdentityProvider {
	return &IdentityProvider{Type: IdentityProviderEntra, Entra: &tenant}
}

// Entra is the Entra tenant that provisions into this one, nil where none is named.
func (s *ProvisioningTenantSpec) Entra() *Entra {
	if s.IdentityProvider == nil {
		return nil
	}
	return s.IdentityProvider.Entra
}
